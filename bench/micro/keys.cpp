// The key of a COPY of a whole context: with what earlier builds have remembered of its files, and without, against a bare walk and
// against reading everything once. $KILN_BENCH_CONTEXT names a context; else one of 5,000 files is made.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <functional>

#include <benchmark/benchmark.h>

#include "bench/micro/support.hpp"
#include "bench/strategies/tree_source.hpp"
#include "engine/cache/copied_files.hpp"
#include "engine/context/context.hpp"
#include "io/base/fd.hpp"
#include "io/file/directory_names.hpp"

namespace kiln::bench {
namespace {

constexpr std::size_t entries = 5'000;

const std::string& context_directory() {
  static const ScratchDirectory scratch;
  static const std::string directory = [] {
    if (const char* named = std::getenv("KILN_BENCH_CONTEXT")) return std::string(named);
    make_tree(entries, scratch.path());
    return scratch.path();
  }();
  return directory;
}

// Names and statuses of everything below an open directory, and nothing else.
std::size_t walk(int directory, const std::function<void(int, const io::DirectoryName&, const struct stat&)>& visit) {
  std::size_t count = 0;
  std::vector<std::string> below;
  io::DirectoryNames names;
  names.read(directory, [&](const io::DirectoryName& name) {
    struct stat status{};
    if (fstatat(directory, name.text.data(), &status, AT_SYMLINK_NOFOLLOW) != 0) return;
    ++count;
    if (S_ISDIR(status.st_mode)) below.emplace_back(name.text);
    visit(directory, name, status);
  });
  for (const auto& name : below) {
    const io::UniqueFd child(openat(directory, name.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (child) count += walk(child.get(), visit);
  }
  return count;
}

void bench_statx_walk(benchmark::State& state) {
  const io::UniqueFd root(open(context_directory().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  std::size_t count = 0;
  for (auto _ : state) {
    lseek(root.get(), 0, SEEK_SET);
    count += walk(root.get(), [](int, const io::DirectoryName&, const struct stat&) {});
  }
  state.SetItemsProcessed(static_cast<std::int64_t>(count));
}

// Gives the number of bytes.
std::int64_t read_everything() {
  const io::UniqueFd root(open(context_directory().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  std::vector<std::byte> buffer(128U << 10U);
  std::int64_t bytes = 0;
  const auto read_file = [&](int directory, const io::DirectoryName& name, const struct stat& status) {
    if (!S_ISREG(status.st_mode)) return;
    const io::UniqueFd file(openat(directory, name.text.data(), O_RDONLY | O_CLOEXEC));
    for (ssize_t count = 1; count > 0; bytes += std::max<ssize_t>(count, 0)) count = read(file.get(), buffer.data(), buffer.size());
  };
  walk(root.get(), read_file);
  return bytes;
}

void bench_read_once(benchmark::State& state) {
  std::int64_t bytes = 0;
  for (auto _ : state) bytes += read_everything();
  state.SetBytesProcessed(bytes);
}

io::Task<void> make_key(engine::FileMemory& memory) {
  engine::Context context(context_directory(), engine::IgnoreMatcher());
  context.remember_in(&memory);
  const engine::Tree tree = co_await context.scan(shared_runtime(), "");
  engine::CopyStep step;
  engine::Listing listing(&memory);
  engine::list_copied_files(step, ".", tree, listing);
  const std::string key = co_await engine::fingerprint(shared_runtime(), listing);
  benchmark::DoNotOptimize(key);
}

// As a process does that has just started: the memory is read from its file.
void bench_key_remembered(benchmark::State& state) {
  const ScratchDirectory scratch;
  const std::string path = scratch.path() + "/files";
  engine::FileMemory first(path);
  shared_runtime().run(make_key(first));
  first.save();
  for (auto _ : state) {
    engine::FileMemory memory(path);
    shared_runtime().run(make_key(memory));
  }
}

void bench_key_unknown(benchmark::State& state) {
  for (auto _ : state) {
    engine::FileMemory memory("");
    shared_runtime().run(make_key(memory));
  }
}

// As after a start of the machine.
bool forget_everything() {
  sync();
  std::ofstream caches("/proc/sys/vm/drop_caches");
  caches << "3\n" << std::flush;
  return static_cast<bool>(caches);
}

template <class Step>
void bench_cold(benchmark::State& state, Step step) {
  for (auto _ : state) {
    state.PauseTiming();
    const bool cold = forget_everything();
    state.ResumeTiming();
    if (cold) {
      step();
    } else {
      state.SkipWithError("the machine's caches cannot be dropped: this needs root");
      break;
    }
  }
}

void bench_read_once_cold(benchmark::State& state) {
  bench_cold(state, [] { read_everything(); });
}

void bench_key_unknown_cold(benchmark::State& state) {
  bench_cold(state, [] {
    engine::FileMemory memory("");
    shared_runtime().run(make_key(memory));
  });
}

BENCHMARK(bench_read_once_cold)->Unit(benchmark::kMillisecond)->UseRealTime()->MeasureProcessCPUTime()->Iterations(1);
BENCHMARK(bench_key_unknown_cold)->Unit(benchmark::kMillisecond)->UseRealTime()->MeasureProcessCPUTime()->Iterations(1);
BENCHMARK(bench_statx_walk)->Unit(benchmark::kMillisecond)->UseRealTime()->MeasureProcessCPUTime();
BENCHMARK(bench_key_remembered)->Unit(benchmark::kMillisecond)->UseRealTime()->MeasureProcessCPUTime();
BENCHMARK(bench_read_once)->Unit(benchmark::kMillisecond)->UseRealTime()->MeasureProcessCPUTime();
BENCHMARK(bench_key_unknown)->Unit(benchmark::kMillisecond)->UseRealTime()->MeasureProcessCPUTime();

}  // namespace
}  // namespace kiln::bench
