#include "engine/rootfs/layer_stream.hpp"

#include <fmt/format.h>

#include "io/base/error.hpp"
#include "io/loop/cpu_pool.hpp"
#include "io/loop/task_group.hpp"

namespace kiln::engine {

namespace {

void apply_layer(const oci::SpoolBlobPtr& blob, LayerReader& reader, const LayerTarget& target, const std::atomic<bool>& stop) {
  auto content = std::make_shared<ContentLayer>();
  content->blob = blob;
  const std::unique_ptr<LayerSink> sink = target.make_sink ? target.make_sink(reader) : nullptr;
  LayerApplier applier(target.tree, std::move(content), sink.get());
  try {
    while (const auto entry = reader.next()) {
      if (stop) throw io::Error(io::ErrorKind::cancelled, "cancelled");
      applier.apply(*entry);
    }
  } catch (const io::Error& error) {
    if (error.kind() == io::ErrorKind::integrity) reader.await_verdict();
    throw;
  }
  if (sink) sink->end_layer();
}

// What the function on the pool and its watcher on the loop share.
struct Stoppable {
  explicit Stoppable(const io::Executor& executor) : ended(executor) {}
  std::atomic<bool> stop = false;
  bool done = false;
  io::Notify ended;
};

io::Task<void> run_on_pool(io::Runtime& runtime, const StoppableWork& work, Stoppable& shared) {
  std::exception_ptr failure;
  try {
    auto run = [&work, &shared] { work(shared.stop); };
    co_await io::offload(runtime.waiting(), run);
  } catch (...) {
    failure = std::current_exception();
  }
  shared.done = true;
  shared.ended.notify_all();
  if (failure) std::rethrow_exception(failure);
}

// Passes cancellation on to the function, which polls `stop`.
io::Task<void> watch(Stoppable& shared) {
  try {
    while (!shared.done) co_await shared.ended.wait();
  } catch (...) {
    shared.stop = true;
    throw;
  }
}

}  // namespace

void apply_layers(const std::vector<LayerInput>& layers, const LayerTarget& target, std::atomic<bool>& stop) {
  std::vector<std::unique_ptr<LayerReader>> readers(layers.size());
  const std::size_t most_ahead = io::usable_cores();
  const bool may_read_ahead = target.stage || !target.make_sink;
  try {
    for (std::size_t i = 0; i < layers.size(); ++i) {
      if (!readers[i]) readers[i] = std::make_unique<LayerReader>(layers[i], &stop);
      for (std::size_t ahead = i + 1; ahead <= i + most_ahead && ahead < layers.size(); ++ahead) {
        if (readers[ahead]) continue;
        readers[ahead] = std::make_unique<LayerReader>(layers[ahead], &stop);
        if (may_read_ahead) readers[ahead]->start_ahead(target.stage ? target.stage(ahead) : nullptr);
      }
      readers[i]->take_over();
      io::with_context(fmt::format("unpacking layer {} of {}", i + 1, layers.size()),
                       [&] { apply_layer(layers[i].blob, *readers[i], target, stop); });
      readers[i].reset();
    }
  } catch (...) {
    stop = true;  // ends the threads that read ahead and may wait for bytes
    throw;
  }
}

io::Task<void> run_stoppable(io::Runtime& runtime, StoppableWork work) {
  Stoppable shared(runtime.executor());
  io::TaskGroup group(runtime.executor());
  group.spawn(run_on_pool(runtime, work, shared));
  group.spawn(watch(shared));
  co_await group.join();
}

}  // namespace kiln::engine
