#include "engine/build/layers.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

#include <fmt/format.h>

#include "io/base/error.hpp"
#include "io/codec/digest.hpp"

namespace kiln::engine {

namespace {

using io::Task;

void copy_blob_file(const std::string& path, const oci::Descriptor& descriptor, oci::SpoolBlob& blob) {
  const io::UniqueFd file(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file) io::throw_errno(errno, fmt::format("opening '{}'", path));
  io::Sha256 digest;
  std::vector<std::byte> buffer(1U << 20U);
  while (true) {
    const ssize_t count = read(file.get(), buffer.data(), buffer.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) io::throw_errno(errno, fmt::format("reading '{}'", path));
    if (count == 0) break;
    const io::Bytes bytes = io::Bytes(buffer).first(static_cast<std::size_t>(count));
    digest.update(bytes);
    blob.append(bytes);
  }
  if (oci::Digest::from(digest.finish()) != descriptor.digest) {
    throw io::Error(io::ErrorKind::integrity, fmt::format("'{}' does not have the digest {}", path, descriptor.digest.text()));
  }
}

// A layer of a cache on disk: copied into the spool, its digest checked.
Task<void> read_layer_file(Session& session, ImageLayerPtr layer, oci::OnBytes on_bytes) {
  std::exception_ptr failure;
  try {
    const auto copy = [layer] { copy_blob_file(layer->origin_file, layer->descriptor, *layer->blob); };
    co_await io::offload(session.runtime.waiting(), copy);
  } catch (...) {
    failure = std::current_exception();
  }
  if (failure) {
    layer->blob->fail(failure);
    std::rethrow_exception(failure);
  }
  layer->blob->complete(layer->descriptor.digest);
  on_bytes(layer->descriptor.size);
}

Task<void> download_layer(Session& session, ImageLayerPtr layer) {
  const PhaseClock::Activity pulling(session.clock, "pull", layer->descriptor.digest.text());
  const int transfer = session.next_transfer++;
  session.progress.transfer_started(transfer, fmt::format("pull {}", layer->descriptor.digest.hex().substr(0, 12)),
                                    layer->descriptor.size);
  const oci::OnBytes on_bytes = [&session, transfer](std::uint64_t bytes) {
    session.bytes_pulled += bytes;
    session.clock.add_bytes("pull", bytes);
    session.progress.transfer_advanced(transfer, bytes);
  };
  try {
    if (layer->origin) {
      co_await layer->origin->download(layer->origin_repository, layer->descriptor, layer->blob, on_bytes);
    } else {
      co_await read_layer_file(session, layer, on_bytes);
    }
  } catch (...) {
    session.cache_failed = session.cache_failed || layer->from_cache;
    throw;
  }
  session.progress.transfer_finished(transfer, "");
}

// SOURCE_DATE_EPOCH clamps (BuildKit's rewrite-timestamp); --reproducible gives every entry the same time.
LayerSettings layer_settings(const Session& session) {
  const BuildRequest& request = session.request;
  LayerSettings settings;
  settings.compression = request.compression;
  if (request.reproducible) {
    settings.fixed_mtime = oci::FileTime{session.source_date_epoch.value_or(0), 0};
  } else if (session.source_date_epoch) {
    settings.newest_mtime = oci::FileTime{*session.source_date_epoch, 0};
  }
  return settings;
}

Task<void> capture_layer(Session& session, std::shared_ptr<Capture> capture, Tree tree, Changes changes, oci::ImageFormat format) {
  const PhaseClock::Activity capturing(session.clock, "capture");
  std::exception_ptr failure;
  try {
    const auto on_captured = [capture] {
      capture->captured = true;
      capture->changed.notify_all();
    };
    const LayerSettings settings = layer_settings(session);
    const LayerFacts facts = co_await write_layer(session.runtime, *session.reader, std::move(tree), std::move(changes), settings,
                                                  capture->layer->blob, on_captured);
    capture->layer->descriptor.media_type = oci::layer_media_type(format, settings.compression.compression);
    capture->layer->descriptor.digest = facts.digest;
    capture->layer->descriptor.size = facts.size;
    capture->layer->diff_id = facts.diff_id;
    session.clock.add_bytes("capture", facts.tar_size);
  } catch (...) {
    failure = std::current_exception();
  }
  if (!failure) co_return;
  capture->failed = true;
  capture->changed.notify_all();
  std::rethrow_exception(failure);
}

}  // namespace

Task<std::shared_ptr<BaseImage>> load_base_image(Session& session, oci::Reference reference, oci::Platform platform) {
  const PhaseClock::Activity resolving(session.clock, "resolve", reference.text());
  const oci::PulledManifest pulled = co_await session.hub.pull_manifest(reference, platform);
  auto image = std::make_shared<BaseImage>();
  image->digest = pulled.manifest.digest;
  image->manifest = oci::parse_manifest(pulled.manifest.bytes, pulled.manifest.media_type);
  const std::string config = co_await pulled.registry->get_blob(pulled.repository, image->manifest.config);
  image->config = io::with_context(reference.text(), [&] { return oci::parse_config(config); });
  if (image->config.diff_ids.size() != image->manifest.layers.size()) {
    throw io::Error(io::ErrorKind::protocol, fmt::format("{}: its config has {} diff ids for {} layers", reference.text(),
                                                         image->config.diff_ids.size(), image->manifest.layers.size()));
  }
  for (std::size_t i = 0; i < image->manifest.layers.size(); ++i) {
    auto layer = std::make_shared<ImageLayer>();
    layer->descriptor = image->manifest.layers[i];
    layer->diff_id = image->config.diff_ids[i];
    layer->origin = pulled.registry;
    layer->origin_repository = pulled.repository;
    image->layers.push_back(std::move(layer));
  }
  session.progress.message(
      fmt::format("base {} is {} with {} layers", reference.familiar(), pulled.manifest.digest.text(), image->layers.size()));
  co_return image;
}

oci::SpoolBlobPtr want_bytes(Session& session, const ImageLayerPtr& layer) {
  if (!layer->blob) {
    layer->blob = std::make_shared<oci::SpoolBlob>(session.runtime.executor(), session.spool_directory);
    session.transfers.spawn(download_layer(session, layer));
  }
  return layer->blob;
}

std::vector<oci::SpoolBlobPtr> want_bytes(Session& session, const std::vector<ImageLayerPtr>& layers) {
  std::vector<oci::SpoolBlobPtr> blobs;
  for (const auto& layer : layers) blobs.push_back(want_bytes(session, layer));
  return blobs;
}

std::shared_ptr<Capture> start_capture(Session& session, Tree tree, Changes changes, oci::ImageFormat format) {
  auto capture = std::make_shared<Capture>(session.runtime.executor());
  capture->layer = std::make_shared<ImageLayer>();
  capture->layer->created = seconds_now();
  capture->layer->blob = std::make_shared<oci::SpoolBlob>(session.runtime.executor(), session.spool_directory);
  session.transfers.spawn(capture_layer(session, capture, std::move(tree), std::move(changes), format));
  return capture;
}

Task<void> wait_captured(std::shared_ptr<Capture> capture) {
  while (!capture->captured && !capture->failed) co_await capture->changed.wait();
  if (capture->failed) throw io::Error(io::ErrorKind::cancelled, "the layer could not be captured");
}

}  // namespace kiln::engine
