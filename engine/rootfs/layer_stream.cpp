#include "engine/rootfs/layer_stream.hpp"

#include <fmt/format.h>

#include "io/base/error.hpp"
#include "io/codec/read_ahead.hpp"
#include "io/loop/task_group.hpp"

namespace kiln::engine {

namespace {

constexpr std::size_t ahead_buffer = 1U << 20U;
constexpr unsigned ahead_buffers = 4;
constexpr std::size_t layers_ahead = 2;  // besides the one that is applied

// A decompressor that owns what it reads from.
class LayerSource final : public io::ByteSource {
 public:
  LayerSource(oci::SpoolBlobPtr blob, const std::atomic<bool>* stop)
      : blob_(std::move(blob)), input_(blob_->follow(stop)), stop_(stop) {}
  std::size_t read(io::MutableBytes buffer) override {
    if (stop_ && *stop_) throw io::Error(io::ErrorKind::cancelled, "cancelled");
    if (!inflated_) inflated_ = io::make_decompressor(*input_);
    return inflated_->read(buffer);
  }

 private:
  oci::SpoolBlobPtr blob_;
  std::unique_ptr<io::ByteSource> input_;
  std::unique_ptr<io::ByteSource> inflated_;
  const std::atomic<bool>* stop_;
};

// Waits until the whole blob is there and throws the download's error if it is not what it should be: bytes that make no
// sense are most often bytes that are not the layer's.
void await_verdict(const oci::SpoolBlob& blob, const std::atomic<bool>& stop) {
  const std::unique_ptr<io::ByteSource> source = blob.follow(&stop);
  std::vector<std::byte> buffer(1U << 20U);
  while (source->read(buffer) > 0) {
  }
}

void apply_layer(const oci::SpoolBlobPtr& blob, io::ByteSource& source, Tree& tree, const MakeSink& make_sink,
                 const std::atomic<bool>& stop) {
  auto content = std::make_shared<ContentLayer>();
  content->blob = blob;
  oci::TarReader reader(source);
  const std::unique_ptr<LayerSink> sink = make_sink ? make_sink(reader) : nullptr;
  LayerApplier applier(tree, std::move(content), sink.get());
  while (const auto entry = reader.next()) {
    if (stop) throw io::Error(io::ErrorKind::cancelled, "cancelled");
    applier.apply(*entry);
  }
  if (sink) sink->end_layer();
}

void apply_or_blame(const oci::SpoolBlobPtr& blob, io::ByteSource& source, Tree& tree, const MakeSink& make_sink,
                    const std::atomic<bool>& stop) {
  try {
    apply_layer(blob, source, tree, make_sink, stop);
  } catch (const io::Error& error) {
    if (error.kind() == io::ErrorKind::integrity) await_verdict(*blob, stop);
    throw;
  }
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

std::unique_ptr<io::ByteSource> open_layer(const oci::SpoolBlobPtr& blob, const std::atomic<bool>* stop) {
  return io::make_read_ahead(std::make_unique<LayerSource>(blob, stop), ahead_buffer, ahead_buffers);
}

void apply_layers(const std::vector<oci::SpoolBlobPtr>& layers, Tree& tree, const MakeSink& make_sink, std::atomic<bool>& stop) {
  std::vector<std::unique_ptr<io::ByteSource>> sources(layers.size());
  try {
    for (std::size_t i = 0; i < layers.size(); ++i) {
      for (std::size_t ahead = i; ahead <= i + layers_ahead && ahead < layers.size(); ++ahead) {
        if (!sources[ahead]) sources[ahead] = open_layer(layers[ahead], &stop);
      }
      io::with_context(fmt::format("unpacking layer {} of {}", i + 1, layers.size()),
                       [&] { apply_or_blame(layers[i], *sources[i], tree, make_sink, stop); });
      sources[i].reset();
    }
  } catch (...) {
    stop = true;  // ends the threads that inflate ahead and may wait for bytes
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
