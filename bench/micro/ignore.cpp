// Deciding 100,000 paths by 100 ignore patterns must cost less than finding those paths on disk, which the second one measures.
#include "engine/context/ignore.hpp"

#include <filesystem>
#include <fstream>

#include <benchmark/benchmark.h>
#include <fmt/format.h>

#include "bench/micro/support.hpp"

namespace kiln::bench {
namespace {

namespace fs = std::filesystem;

constexpr unsigned directories = 1'000;
constexpr unsigned files_in_each = 100;

std::string directory_path(unsigned number) { return fmt::format("src/package-{}", number); }

engine::IgnoreMatcher hundred_patterns() {
  std::vector<std::string> patterns = {"**/node_modules", "**/*.log", "**/.git", "build", "!build/keep", "**/*.o", "docs/*.md"};
  for (unsigned number = 0; number < 31; ++number) {
    patterns.push_back(fmt::format("**/cache-{}", number));
    patterns.push_back(fmt::format("src/package-{}/dist", number));
    patterns.push_back(fmt::format("**/*-{}.tmp", number));
  }
  return engine::IgnoreMatcher::from_patterns(patterns);
}

void bench_ignore_100_patterns(benchmark::State& state) {
  std::vector<std::pair<std::string, bool>> paths = {{"src", true}};
  for (unsigned directory = 0; directory < directories; ++directory) {
    paths.emplace_back(directory_path(directory), true);
    for (unsigned file = 0; file < files_in_each; ++file) {
      paths.emplace_back(fmt::format("{}/module-{}.js", directory_path(directory), file), false);
    }
  }
  const engine::IgnoreMatcher matcher = hundred_patterns();
  for (auto _ : state) {
    engine::IgnoreWalk walk(matcher);
    unsigned ignored = 0;
    for (const auto& [path, is_directory] : paths) ignored += walk.visit(path, is_directory) ? 1 : 0;
    benchmark::DoNotOptimize(ignored);
  }
  state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(paths.size()));
}

void bench_read_those_directories(benchmark::State& state) {
  const ScratchDirectory scratch;
  for (unsigned directory = 0; directory < directories; ++directory) {
    const std::string path = scratch.path() + "/" + directory_path(directory);
    fs::create_directories(path);
    for (unsigned file = 0; file < files_in_each; ++file) std::ofstream(fmt::format("{}/module-{}.js", path, file));
  }
  std::int64_t found = 0;
  for (auto _ : state) {
    for (const auto& entry : fs::recursive_directory_iterator(scratch.path())) {
      benchmark::DoNotOptimize(entry.is_directory());
      ++found;
    }
  }
  state.SetItemsProcessed(found);
}

BENCHMARK(bench_ignore_100_patterns)->Unit(benchmark::kMillisecond);
BENCHMARK(bench_read_those_directories)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace kiln::bench
