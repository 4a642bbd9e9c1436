// Files on disk: created as an unpack creates them, found by a scan, read on threads and through io_uring. $TMPDIR or /var/tmp
// says which file system is measured.
#include <fcntl.h>

#include <filesystem>

#include <benchmark/benchmark.h>

#include "bench/micro/support.hpp"
#include "bench/strategies/tree_source.hpp"
#include "engine/rootfs/rootfs.hpp"
#include "engine/snapshot/detector.hpp"
#include "io/file/read_plan.hpp"

namespace kiln::bench {
namespace {

constexpr std::size_t entries = 5'000;

// A made tree, and a root file system with it.
class Bed {
 public:
  Bed() {
    std::filesystem::create_directory(scratch_.path() + "/contents");
    source_ = make_tree(entries, scratch_.path() + "/contents");
    create();
  }

  engine::Tree& tree() { return source_.tree; }
  engine::Rootfs& root() { return *root_; }

  void create() {
    root_ = std::make_unique<engine::Rootfs>(shared_runtime(), engine::RootfsShape::plain, directory(), std::set<std::string>());
    shared_runtime().run(root_->apply(source_.tree, source_.puts));
  }
  void remove() { std::filesystem::remove_all(directory()); }

 private:
  std::string directory() const { return scratch_.path() + "/root"; }

  ScratchDirectory scratch_;
  TreeSource source_;
  std::unique_ptr<engine::Rootfs> root_;
};

void bench_create_files(benchmark::State& state) {
  Bed bed;
  for (auto _ : state) {
    state.PauseTiming();
    bed.remove();
    state.ResumeTiming();
    bed.create();
  }
  state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(entries));
}

io::Task<void> detect(engine::Detector& detector, engine::Rootfs& root, engine::Tree& tree) {
  const engine::Changes changes = co_await detector.detect(root, tree);
  benchmark::DoNotOptimize(changes);
}

void bench_walk(benchmark::State& state) {
  Bed bed;
  const auto detector = engine::make_detector(engine::SnapshotMode::inode_ctime, shared_runtime(), bed.root());
  for (auto _ : state) shared_runtime().run(detect(*detector, bed.root(), bed.tree()));
  state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(entries));
}

std::vector<io::ReadPiece> pieces_of(Bed& bed, std::vector<std::vector<std::byte>>& buffers) {
  const int root = bed.root().directories().back()->directory.get();
  std::vector<io::ReadPiece> pieces;
  bed.tree().walk("", [&](const std::string& path, const engine::Node& node) {
    if (node.type != engine::FileType::regular || node.size == 0) return true;
    io::ReadPiece piece;
    piece.directory = root;
    piece.path = path;
    piece.target = buffers.emplace_back(node.size);
    pieces.push_back(piece);
    return true;
  });
  return pieces;
}

void bench_read_files(benchmark::State& state, std::unique_ptr<io::FileReader> (*make)()) {
  const auto reader = make();
  if (!reader) {
    state.SkipWithError("io_uring is refused here");
    return;
  }
  Bed bed;
  std::vector<std::vector<std::byte>> buffers;
  std::vector<io::ReadPiece> pieces = pieces_of(bed, buffers);
  std::uint64_t bytes = 0;
  for (auto _ : state) {
    for (auto& piece : pieces) piece.read = 0;
    shared_runtime().run(reader->read_all(pieces));
    for (const auto& piece : pieces) bytes += piece.read;
  }
  state.SetBytesProcessed(static_cast<std::int64_t>(bytes));
}

std::unique_ptr<io::FileReader> threads() { return io::make_thread_reader(shared_runtime()); }
std::unique_ptr<io::FileReader> ring() { return io::make_ring_reader(shared_runtime()); }

BENCHMARK(bench_create_files)->Unit(benchmark::kMillisecond)->UseRealTime();
BENCHMARK(bench_walk)->Unit(benchmark::kMillisecond)->UseRealTime();
BENCHMARK_CAPTURE(bench_read_files, threads, threads)->Unit(benchmark::kMillisecond)->UseRealTime();
BENCHMARK_CAPTURE(bench_read_files, io_uring, ring)->Unit(benchmark::kMillisecond)->UseRealTime();

}  // namespace
}  // namespace kiln::bench
