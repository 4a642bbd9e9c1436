#include "engine/build/push.hpp"

#include <filesystem>
#include <map>

#include <fmt/format.h>

#include "engine/build/outputs.hpp"
#include "engine/build/publisher.hpp"
#include "engine/build/saved_archive.hpp"
#include "io/base/error.hpp"
#include "oci/output/read_layout.hpp"

namespace kiln::engine {

namespace {

using io::Task;

class Push {
 public:
  Push(Session& session, Publisher& publisher, std::string path)
      : session_(session), publisher_(publisher), path_(std::move(path)) {}

  Task<oci::Image> run() {
    co_await publisher_.prepare();
    oci::Image image;
    if (std::filesystem::is_directory(path_)) {
      co_await send_layout(image);
    } else {
      co_await send_archive(image);
    }
    co_await session_.transfers.join();
    co_return image;
  }

 private:
  Task<void> send_layout(oci::Image& image) {
    const std::shared_ptr<BaseImage> saved = co_await load_layout_image(session_, path_, oci::host_platform());
    for (const auto& layer : saved->layers) publisher_.push_layer(layer);
    image.manifest = saved->manifest;
    image.manifest_digest = saved->digest;
    image.manifest_bytes = oci::read_layout_blob(path_, saved->digest);
    image.config_bytes = oci::read_layout_blob(path_, saved->manifest.config.digest);
  }

  Task<void> send_archive(oci::Image& image) {
    SavedArchive archive(path_);
    const auto read = [this, &archive] { return io::with_context(path_, [&archive] { return archive.read_contents(); }); };
    const SavedArchive::Contents contents = co_await io::offload(session_.runtime.waiting(), read);
    std::map<std::string, ImageLayerPtr> layers;  // by member: an image may have a layer twice
    for (const auto& name : contents.layers) layers[name];
    co_await send_layers(archive, layers);
    image.config_bytes = contents.config;
    image.manifest.config.media_type = oci::media_type::docker_config;
    image.manifest.config.digest = oci::Digest::of(io::as_bytes(contents.config));
    image.manifest.config.size = contents.config.size();
    for (const auto& name : contents.layers) {
      if (!layers[name]) throw io::Error(io::ErrorKind::usage, fmt::format("'{}' has no {}", path_, name));
      image.manifest.layers.push_back(layers[name]->descriptor);
    }
    image.manifest_bytes = oci::serialize(image.manifest);
    image.manifest_digest = oci::Digest::of(io::as_bytes(image.manifest_bytes));
  }

  // Each goes up while the next is read.
  Task<void> send_layers(SavedArchive& archive, std::map<std::string, ImageLayerPtr>& layers) {
    archive.rewind();
    while (true) {
      const auto find_next = [this, &archive, &layers] {
        return io::with_context(path_, [&] {
          std::string name = archive.next();
          while (!name.empty() && !layers.contains(name)) name = archive.next();
          return name;
        });
      };
      const std::string name = co_await io::offload(session_.runtime.waiting(), find_next);
      if (name.empty()) co_return;
      auto layer = std::make_shared<ImageLayer>();
      layer->blob = std::make_shared<oci::SpoolBlob>(session_.runtime.executor(), session_.spool_directory);
      const auto spool = [this, &archive, layer] {
        return io::with_context(path_, [&] { return archive.spool_layer(*layer->blob); });
      };
      layer->descriptor = co_await io::offload(session_.runtime.waiting(), spool);
      layer->blob->complete(layer->descriptor.digest);
      layers[name] = layer;
      publisher_.push_layer(layer);
    }
  }

  Session& session_;
  Publisher& publisher_;
  std::string path_;
};

}  // namespace

Task<BuildResult> push_saved_image(io::Runtime& runtime, BuildRequest request, std::string path, Progress& progress) {
  Session session(runtime, request, progress);
  Publisher publisher(session, request.destinations);
  Push push(session, publisher, path);
  BuildResult result;
  std::exception_ptr failure;
  try {
    const oci::Image image = co_await push.run();
    co_await write_digest_files(session, image.manifest_digest);
    std::vector<std::string> pushed = co_await publisher.push_image(image);
    result = summarize(session, image);
    result.pushed = std::move(pushed);
  } catch (...) {
    failure = std::current_exception();
  }
  if (!failure) co_return result;
  co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
  co_await session.stop_transfers(failure);
  std::rethrow_exception(failure);
}

}  // namespace kiln::engine
