// The loop's own costs: items through a ByteQueue, and functions offloaded to the pool.
#include <benchmark/benchmark.h>

#include "bench/micro/support.hpp"
#include "io/loop/byte_queue.hpp"
#include "io/loop/task_group.hpp"

namespace kiln::bench {
namespace {

constexpr int items = 10'000;
constexpr std::size_t item_size = 64U << 10U;
constexpr std::size_t limit = 8 * item_size;

io::Task<void> produce(io::ByteQueue<int>& queue) {
  for (int item = 0; item < items; ++item) co_await queue.push(item, item_size);
  queue.close();
}

io::Task<void> consume(io::ByteQueue<int>& queue) {
  std::optional<int> item = 0;
  while (item) item = co_await queue.pop();
}

io::Task<void> pass_items(io::Runtime& runtime) {
  io::ByteQueue<int> queue(runtime.executor(), limit);
  io::TaskGroup group(runtime.executor());
  group.spawn(produce(queue));
  group.spawn(consume(queue));
  co_await group.join();
}

io::Task<void> offload_nothing(io::Runtime& runtime) {
  const auto nothing = [] {};
  for (int item = 0; item < items; ++item) co_await io::offload(runtime.cpu(), nothing);
}

void bench_queue(benchmark::State& state) {
  for (auto _ : state) shared_runtime().run(pass_items(shared_runtime()));
  state.SetItemsProcessed(state.iterations() * items);
}

void bench_offload(benchmark::State& state) {
  for (auto _ : state) shared_runtime().run(offload_nothing(shared_runtime()));
  state.SetItemsProcessed(state.iterations() * items);
}

BENCHMARK(bench_queue)->Unit(benchmark::kMillisecond)->UseRealTime();
BENCHMARK(bench_offload)->Unit(benchmark::kMillisecond)->UseRealTime();

}  // namespace
}  // namespace kiln::bench
