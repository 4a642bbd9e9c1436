#include "bench/strategies/harness.hpp"

#include <sys/stat.h>

#include <algorithm>
#include <chrono>
#include <exception>
#include <filesystem>
#include <memory>
#include <set>
#include <span>

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "bench/strategies/apply_change.hpp"
#include "bench/strategies/page_cache.hpp"
#include "bench/strategies/tree_source.hpp"
#include "io/base/error.hpp"
#include "io/loop/task_group.hpp"

namespace kiln::bench {

namespace {

namespace fs = std::filesystem;
using engine::Rootfs;
using engine::RootfsShape;
using engine::Tree;
using io::Task;

void stat_paths(int root, std::span<const std::string> paths) {
  struct stat state{};
  for (const auto& path : paths) fstatat(root, path.c_str(), &state, AT_SYMLINK_NOFOLLOW);
}

// A root file system and what is in it.
struct Bed {
  std::unique_ptr<Rootfs> root;
  Tree tree;
};

// A volatile overlay leaves a mark in its work directory, which forbids using it again.
void empty_upper(const Rootfs& overlay) {
  for (const auto& entry : fs::directory_iterator(overlay.directory_paths().back())) fs::remove_all(entry.path());
  for (const auto& entry : fs::directory_iterator(overlay.overlay_work_path())) fs::remove_all(entry.path());
}

class Harness {
 public:
  Harness(io::Runtime& runtime, HarnessOptions options) : runtime_(runtime), options_(std::move(options)) {}

  Task<Results> run() {
    availability_ = co_await probe_availability(runtime_, options_.work_directory);
    results_.machine = describe_machine(options_.work_directory);
    results_.chill_method = chill_method();
    results_.system_call_counter = counter_.why_not();
    results_.runs = options_.runs;
    choose_strategies();
    co_await fill();
    co_await measure_statx();
    choose_changes();
    for (const CacheState cache : options_.cache_states) {
      for (const ChangeKind change : options_.changes) co_await measure_all(change, cache);
    }
    co_return std::move(results_);
  }

 private:
  Task<void> fill() {
    const auto started = std::chrono::steady_clock::now();
    const std::string scratch = options_.work_directory + "/contents";
    fs::create_directory(scratch);
    TreeSource source;
    if (options_.tree.empty()) {
      source = make_tree(options_.entries, scratch);
    } else {
      source = co_await index_directory(runtime_, options_.tree, options_.work_directory);
    }
    co_await fill(plain_, RootfsShape::plain, source);
    const bool overlay =
        std::ranges::any_of(chosen_, [](const Strategy* strategy) { return strategy->shape == RootfsShape::overlay; });
    if (overlay) co_await fill(overlay_, RootfsShape::overlay, source);
    results_.tree = options_.tree.empty() ? "made" : options_.tree;
    results_.entries = source.puts.size();
    results_.bytes = source.bytes;
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - started;
    spdlog::info("tree of {} entries, {} MB, written in {:.1f} s", results_.entries, results_.bytes / 1'000'000, took.count());
  }

  Task<void> fill(Bed& bed, RootfsShape shape, const TreeSource& source) {
    const std::string directory = options_.work_directory + (shape == RootfsShape::overlay ? "/overlay" : "/plain");
    bed.root = std::make_unique<Rootfs>(runtime_, shape, directory, std::set<std::string>());
    bed.tree = source.tree;
    co_await bed.root->apply(bed.tree, source.puts);
    bed.root->push_upper(bed.tree);
  }

  void choose_strategies() {
    for (const Strategy* strategy : options_.strategies) {
      const std::string reason = why_unavailable(*strategy, availability_);
      if (reason.empty()) {
        chosen_.push_back(strategy);
      } else {
        results_.skipped.push_back({strategy, reason});
        spdlog::warn("{} is left out: {}", strategy->name, reason);
      }
    }
  }

  void choose_changes() {
    std::erase_if(options_.changes, [this](ChangeKind change) {
      try {
        plan_change(plain_.tree, change, 0);
        return false;
      } catch (const io::Error& error) {
        spdlog::warn("{} is left out: {}", name_of(change), error.message());
        return true;
      }
    });
    if (options_.changes.empty()) throw io::Error(io::ErrorKind::usage, "there is nothing in the tree to change");
  }

  // The least that a scan has to do: it finds the names, too.
  Task<void> measure_statx() {
    std::vector<std::string> paths;
    plain_.tree.walk("", [&paths](const std::string& path, const engine::Node&) {
      if (!path.empty()) paths.push_back(path);
      return true;
    });
    stat_paths(plain_.root->directories().back()->directory.get(), paths);
    for (unsigned run = 0; run < options_.runs; ++run) {
      results_.statx_one_thread.push_back(co_await time_statx(*plain_.root, paths, 1));
      results_.statx_all_cores.push_back(co_await time_statx(*plain_.root, paths, runtime_.cpu().size()));
    }
  }

  Task<double> time_statx(const Rootfs& root, const std::vector<std::string>& paths, unsigned threads) {
    const auto started = std::chrono::steady_clock::now();
    io::TaskGroup group(runtime_.executor());
    for (unsigned part = 0; part < threads; ++part) {
      const std::size_t begin = paths.size() * part / threads;
      const std::size_t end = paths.size() * (part + 1) / threads;
      group.spawn(stat_part(root, std::span(paths).subspan(begin, end - begin)));
    }
    co_await group.join();
    co_return std::chrono::duration<double>(std::chrono::steady_clock::now() - started).count();
  }

  Task<void> stat_part(const Rootfs& root, std::span<const std::string> paths) {
    auto work = [paths, fd = root.directories().back()->directory.get()] { stat_paths(fd, paths); };
    co_await io::offload(runtime_.cpu(), work);
  }

  Task<void> measure_all(ChangeKind change, CacheState cache) {
    const std::size_t first = results_.measurements.size();
    for (const Strategy* strategy : chosen_) results_.measurements.push_back({strategy, change, cache, {}});
    for (unsigned run = 0; run < options_.runs; ++run) {
      for (std::size_t i = 0; i < chosen_.size(); ++i) {
        co_await io::throw_if_cancelled();
        results_.measurements[first + i].runs.push_back(co_await measure(*chosen_[i], change, cache));
      }
    }
    spdlog::info("{}, {} cache: measured", name_of(change), name_of(cache));
  }

  Task<Run> measure(const Strategy& strategy, ChangeKind change, CacheState cache) {
    const std::string doing = fmt::format("measuring {} with {}", strategy.name, name_of(change));
    Bed& bed = strategy.shape == RootfsShape::overlay ? overlay_ : plain_;
    Tree tree = bed.tree;
    std::exception_ptr failure;
    Run run;
    try {
      run = co_await perform(strategy, change, cache, *bed.root, tree);
    } catch (...) {
      failure = std::current_exception();
    }
    if (failure) io::rethrow_with_context(failure, doing);
    if (strategy.shape == RootfsShape::overlay) {
      empty_upper(*bed.root);
    } else {
      co_await bring_up_to_date(std::move(tree));
    }
    co_return run;
  }

  // Each number is measured by a meter of its own, so that what happens in between is in neither.
  Task<Run> perform(const Strategy& strategy, ChangeKind change, CacheState cache, Rootfs& root, Tree& tree) {
    const PlannedChange planned = plan_change(tree, change, ++seed_, root.directories().back().get());
    const auto detector = make_detector(strategy, runtime_, root);
    Run run;
    CostMeter arming(counter_);
    co_await detector->arm(root, tree);
    run.arm = arming.stop();
    co_await apply_change(runtime_, root, availability_.all_ids, planned.operations);
    if (cache == CacheState::cold) chill(root, tree);
    CostMeter detecting(counter_);
    const engine::Changes told = co_await detector->detect(root, tree);
    run.detect = detecting.stop();
    // The kernel does not count what io_uring reads.
    if (strategy.reader == io::ReaderChoice::ring) run.arm.bytes_read = run.detect.bytes_read = std::nullopt;
    run.verdict = judge(planned, told, detector->candidates());
    co_return run;
  }

  Task<void> bring_up_to_date(Tree tree) {
    const auto detector = engine::make_detector(engine::SnapshotMode::inode_ctime, runtime_, *plain_.root);
    co_await detector->detect(*plain_.root, tree);
    plain_.tree = std::move(tree);
  }

  io::Runtime& runtime_;
  HarnessOptions options_;
  SystemCallCounter counter_;
  Availability availability_;
  std::vector<const Strategy*> chosen_;
  Bed plain_;
  Bed overlay_;  // only where a strategy needs it
  std::uint64_t seed_ = 0;
  Results results_;
};

}  // namespace

Task<Results> compare_strategies(io::Runtime& runtime, HarnessOptions options) {
  Harness harness(runtime, std::move(options));
  Results results = co_await harness.run();
  co_return results;
}

}  // namespace kiln::bench
