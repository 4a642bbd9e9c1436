#include "bench/phases/export.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <ctime>
#include <functional>
#include <span>

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "bench/measure/cost.hpp"
#include "bench/strategies/tree_source.hpp"
#include "engine/capture/layer_writer.hpp"
#include "io/base/error.hpp"
#include "io/codec/digest.hpp"
#include "io/file/open_beneath.hpp"

namespace kiln::bench {

namespace {

constexpr std::size_t batch_size = 64U << 20U;  // far more than a core's caches hold

double thread_cpu_seconds() {
  timespec time{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) / 1e9;
}

// CPU time of one thread for each thing that has to be done to the bytes.
struct ByteCosts {
  double read = 0;
  double deflate = 0;
  double hash = 0;
  double hash_compressed = 0;
  double sum() const { return read + deflate + hash + hash_compressed; }
};

// Takes files in batches; each batch is read, deflated and hashed by itself.
class ByteWork {
 public:
  ByteWork() : buffer_(batch_size) {}

  ByteCosts run(std::span<const engine::Content> files) {
    for (const auto& content : files) read_file(content);
    finish_batch();
    return costs_;
  }

 private:
  void timed(double& sum, const std::function<void()>& work) const {
    const double before = thread_cpu_seconds();
    work();
    sum += thread_cpu_seconds() - before;
  }

  void read_file(const engine::Content& content) {
    bool more = true;
    io::UniqueFd file;
    timed(costs_.read, [&] { file = io::open_beneath(content.directory->directory.get(), content.path, O_RDONLY | O_NONBLOCK); });
    if (!file) io::throw_errno(errno, fmt::format("opening '{}'", content.path));
    while (more) {
      if (used_ == buffer_.size()) finish_batch();
      timed(costs_.read, [&] {
        const ssize_t count = read(file.get(), buffer_.data() + used_, buffer_.size() - used_);
        if (count < 0) io::throw_errno(errno, fmt::format("reading '{}'", content.path));
        used_ += static_cast<std::size_t>(count);
        more = count > 0;
      });
    }
    timed(costs_.read, [&] { file.reset(); });
  }

  void finish_batch() {
    const io::Bytes batch = io::Bytes(buffer_).first(used_);
    timed(costs_.hash, [&] { hash_.update(batch); });
    for (std::size_t at = 0; at < batch.size(); at += io::compression_block_size) {
      const io::Bytes block = batch.subspan(at, std::min(io::compression_block_size, batch.size() - at));
      io::CompressedBlock compressed;
      timed(costs_.deflate, [&] { compressed = io::compress_block({}, block); });
      timed(costs_.hash_compressed, [&] { hash_compressed_.update(compressed.bytes); });
    }
    used_ = 0;
  }

  std::vector<std::byte> buffer_;
  std::size_t used_ = 0;
  io::Sha256 hash_;
  io::Sha256 hash_compressed_;
  ByteCosts costs_;
};

class ExportBench {
 public:
  ExportBench(io::Runtime& runtime, ExportOptions options) : runtime_(runtime), options_(std::move(options)) {}

  io::Task<PhaseResults> run() {
    const TreeSource source = co_await index_directory(runtime_, options_.tree, options_.work_directory);
    repeat(source);
    PhaseResults results;
    results.rows = {{"reading", "of the files, cached; one thread", {}, {}},
                    {"deflate", "ISA-L, level 1; one thread", {}, {}},
                    {"sha256", "of what is read; one thread", {}, {}},
                    {"sha256", "of what is deflated; one thread", {}, {}},
                    {"floor", fmt::format("their sum, divided by {} cores", runtime_.cpu().size()), {}, {}},
                    {"kiln", "tar, diff id, gzip, digest, spool file", {}, {}}};
    results.floor = 4;
    for (unsigned run = 0; run < options_.runs; ++run) {
      co_await io::throw_if_cancelled();
      measure_bytes(results.rows);
      co_await measure_kiln(results.rows.back());
      spdlog::info("run {} of {}: the floor is {:.2f} s, kiln took {:.2f} s", run + 1, options_.runs,
                   results.rows[results.floor].seconds.back(), results.rows.back().seconds.back());
    }
    results.title = "Writing a layer";
    results.machine = describe_machine(options_.work_directory);
    results.work = fmt::format("{} files of {}, {} MB in one layer of {} MB", files_.size(), options_.tree, bytes_ / 1'000'000,
                               layer_size_ / 1'000'000);
    results.runs = options_.runs;
    co_return results;
  }

 private:
  // The files of `source` under one directory after the other, until there are enough bytes.
  void repeat(const TreeSource& source) {
    for (unsigned turn = 0; bytes_ < options_.bytes; ++turn) {
      const std::uint64_t before = bytes_;
      for (const auto& put : source.puts) {
        const auto node = source.tree.find(put.path);
        if (!node || node->type != engine::FileType::regular || bytes_ + node->size > options_.bytes + options_.bytes / 100)
          continue;
        engine::Node file = *node;
        file.link_id = 0;
        const std::string path = fmt::format("{}/{}", turn, put.path);
        files_.push_back(file.content);
        bytes_ += file.size;
        tree_.put(path, std::move(file));
        changes_.push_back({engine::Change::Kind::put, path});
        if (bytes_ >= options_.bytes) break;
      }
      if (bytes_ == before) break;  // every file is too large
    }
    if (bytes_ == 0) {
      throw io::Error(io::ErrorKind::not_found, fmt::format("'{}' has no file of 1 to {} bytes", options_.tree, options_.bytes));
    }
    std::ranges::sort(changes_, engine::path_less, &engine::Change::path);
  }

  void measure_bytes(std::vector<PhaseRow>& rows) const {
    const ByteCosts costs = ByteWork().run(files_);
    const std::array values = {costs.read, costs.deflate, costs.hash, costs.hash_compressed, costs.sum()};
    for (std::size_t i = 0; i < values.size(); ++i) rows[i].cpu_seconds.push_back(values[i]);
    rows[4].seconds.push_back(costs.sum() / runtime_.cpu().size());
  }

  io::Task<void> measure_kiln(PhaseRow& row) {
    const auto reader = io::make_file_reader(runtime_);
    const auto blob = std::make_shared<oci::SpoolBlob>(runtime_.executor(), options_.work_directory);
    CostMeter meter(no_calls_);
    const engine::LayerFacts facts = co_await engine::write_layer(runtime_, *reader, tree_, changes_, {}, blob, {});
    const Cost cost = meter.stop();
    row.seconds.push_back(cost.seconds);
    row.cpu_seconds.push_back(cost.cpu_seconds);
    layer_size_ = facts.size;
  }

  io::Runtime& runtime_;
  ExportOptions options_;
  SystemCallCounter no_calls_{false};
  engine::Tree tree_;
  engine::Changes changes_;
  std::vector<engine::Content> files_;
  std::uint64_t bytes_ = 0;
  std::uint64_t layer_size_ = 0;
};

}  // namespace

io::Task<PhaseResults> measure_export(io::Runtime& runtime, ExportOptions options) {
  ExportBench bench(runtime, std::move(options));
  PhaseResults results = co_await bench.run();
  co_return results;
}

}  // namespace kiln::bench
