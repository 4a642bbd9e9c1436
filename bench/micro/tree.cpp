// The Tree: 50,000 paths put, found, copied and changed, compared.
#include "engine/tree/tree.hpp"

#include <malloc.h>

#include <benchmark/benchmark.h>
#include <fmt/format.h>

namespace kiln::bench {
namespace {

constexpr unsigned entries = 50'000;

const std::vector<std::string>& paths() {
  static const std::vector<std::string> all = [] {
    std::vector<std::string> paths;
    for (unsigned number = 0; number < entries; ++number) {
      paths.push_back(fmt::format("usr/lib/package-{}/part-{}/module-{}.js", number % 97, number % 11, number));
    }
    return paths;
  }();
  return all;
}

engine::Node file(std::uint64_t size) {
  engine::Node node;
  node.type = engine::FileType::regular;
  node.size = size;
  return node;
}

engine::Tree full_tree() {
  engine::Tree tree;
  for (const auto& path : paths()) tree.put(path, file(1));
  return tree;
}

void bench_tree_insert(benchmark::State& state) {
  for (auto _ : state) benchmark::DoNotOptimize(full_tree());
  state.SetItemsProcessed(state.iterations() * entries);
}

void bench_tree_find(benchmark::State& state) {
  const engine::Tree tree = full_tree();
  for (auto _ : state) {
    for (const auto& path : paths()) benchmark::DoNotOptimize(tree.find(path));
  }
  state.SetItemsProcessed(state.iterations() * entries);
}

// Heap bytes an entry, with what the allocator puts round them.
void bench_tree_memory(benchmark::State& state) {
  double bytes = 0;
  for (auto _ : state) {
    const std::size_t before = mallinfo2().uordblks;
    const engine::Tree tree = full_tree();
    bytes = static_cast<double>(mallinfo2().uordblks - before) / static_cast<double>(tree.size());
  }
  state.counters["bytes/entry"] = bytes;
}

// What a step costs: a copy that shares everything, and one path in it changed.
void bench_tree_copy_and_change(benchmark::State& state) {
  const engine::Tree tree = full_tree();
  std::uint64_t size = 0;
  for (auto _ : state) {
    engine::Tree copy = tree;
    ++size;
    copy.put(paths()[size % entries], file(size));
    benchmark::DoNotOptimize(copy);
  }
}

// Every node of one Tree looked up and compared in the other.
void bench_tree_diff(benchmark::State& state) {
  const engine::Tree before = full_tree();
  engine::Tree after = before;
  for (unsigned number = 0; number < entries; number += 100) after.put(paths()[number], file(2));
  for (auto _ : state) {
    unsigned changed = 0;
    after.walk("", [&](const std::string& path, const engine::Node& node) {
      const auto other = before.find(path);
      changed += other && engine::same_metadata(*other, node) ? 0 : 1;
      return true;
    });
    benchmark::DoNotOptimize(changed);
  }
  state.SetItemsProcessed(state.iterations() * entries);
}

BENCHMARK(bench_tree_insert)->Unit(benchmark::kMillisecond);
BENCHMARK(bench_tree_find)->Unit(benchmark::kMillisecond);
BENCHMARK(bench_tree_memory)->Unit(benchmark::kMillisecond);
BENCHMARK(bench_tree_copy_and_change)->Unit(benchmark::kMicrosecond);
BENCHMARK(bench_tree_diff)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace kiln::bench
