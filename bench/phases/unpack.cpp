#include "bench/phases/unpack.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <set>

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "bench/measure/cost.hpp"
#include "bench/phases/plain_unpack.hpp"
#include "engine/rootfs/rootfs.hpp"
#include "io/base/error.hpp"

namespace kiln::bench {

namespace {

namespace fs = std::filesystem;

io::UniqueFd open_layer_file(const LayerFile& layer) {
  io::UniqueFd file(open(layer.path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file) io::throw_errno(errno, fmt::format("opening layer '{}'", layer.path));
  return file;
}

class UnpackBench {
 public:
  UnpackBench(io::Runtime& runtime, UnpackOptions options) : runtime_(runtime), options_(std::move(options)) {}

  io::Task<PhaseResults> run() {
    if (options_.image.empty()) {
      image_ = co_await pack_directory(runtime_, options_.tree, options_.work_directory);
    } else {
      image_ = read_image(options_.image);
    }
    PhaseRow plain{
        "plain loop", fmt::format("read, inflate (ISA-L), create; {} at once, a layer each", runtime_.cpu().size()), {}, {}};
    PhaseRow kiln{"kiln", "the same layers applied in order, with a Tree and its stamps", {}, {}};
    for (unsigned run = 0; run < options_.runs; ++run) {
      co_await io::throw_if_cancelled();
      measure_plain(plain);
      co_await measure_kiln(kiln);
      spdlog::info("run {} of {}: {:.2f} s plainly, {:.2f} s by kiln", run + 1, options_.runs, plain.seconds.back(),
                   kiln.seconds.back());
    }
    PhaseResults results;
    results.title = "Unpacking layers";
    results.machine = describe_machine(options_.work_directory);
    results.work = fmt::format("{}: {} layers, {} MB compressed, {} entries, {} MB", image_.from, image_.layers.size(),
                               image_.size() / 1'000'000, counts_.entries, counts_.bytes / 1'000'000);
    results.runs = options_.runs;
    results.rows = {std::move(plain), std::move(kiln)};
    co_return results;
  }

 private:
  // An empty directory, a disk that has nothing to write, and layers that have to be read from it.
  std::string prepare() {
    const std::string directory = options_.work_directory + "/root";
    fs::remove_all(directory);
    fs::create_directory(directory);
    sync();
    for (const auto& layer : image_.layers) posix_fadvise(open_layer_file(layer).get(), 0, 0, POSIX_FADV_DONTNEED);
    return directory;
  }

  void measure_plain(PhaseRow& row) {
    const std::string directory = prepare();
    CostMeter meter(no_calls_);
    counts_ = unpack_plainly(image_.layers, directory, runtime_.cpu().size());
    add(row, meter.stop());
  }

  io::Task<void> measure_kiln(PhaseRow& row) {
    const std::string directory = prepare();
    engine::Rootfs root(runtime_, engine::RootfsShape::plain, directory + "/kiln", std::set<std::string>());
    CostMeter meter(no_calls_);
    std::vector<engine::LayerInput> layers;
    for (const auto& layer : image_.layers) {
      const auto blob = std::make_shared<oci::SpoolBlob>(runtime_.executor(), options_.work_directory);
      blob->adopt(open_layer_file(layer), layer.digest, layer.size);
      layers.push_back({blob, nullptr});
    }
    const engine::Tree tree = co_await root.unpack(std::move(layers));
    add(row, meter.stop());
  }

  static void add(PhaseRow& row, const Cost& cost) {
    row.seconds.push_back(cost.seconds);
    row.cpu_seconds.push_back(cost.cpu_seconds);
  }

  io::Runtime& runtime_;
  UnpackOptions options_;
  SystemCallCounter no_calls_{false};
  PackedImage image_;
  UnpackCounts counts_;
};

}  // namespace

io::Task<PhaseResults> measure_unpack(io::Runtime& runtime, UnpackOptions options) {
  UnpackBench bench(runtime, std::move(options));
  PhaseResults results = co_await bench.run();
  co_return results;
}

}  // namespace kiln::bench
