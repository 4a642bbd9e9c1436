#include "engine/build/layers.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

#include <fmt/format.h>

#include "io/base/error.hpp"
#include "io/codec/digest.hpp"
#include "oci/output/read_layout.hpp"

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

// `name` is for messages. Layers have no origin yet.
std::shared_ptr<BaseImage> make_base_image(const std::string& name, oci::Digest digest, oci::Manifest manifest,
                                           const std::string& config) {
  auto image = std::make_shared<BaseImage>();
  image->digest = std::move(digest);
  image->manifest = std::move(manifest);
  image->config = io::with_context(name, [&] { return oci::parse_config(config); });
  const auto& diff_ids = image->config.diff_ids;
  if (diff_ids.size() != image->manifest.layers.size()) {
    throw io::Error(io::ErrorKind::protocol, fmt::format("{}: its config has {} diff ids for {} layers", name, diff_ids.size(),
                                                         image->manifest.layers.size()));
  }
  for (std::size_t i = 0; i < diff_ids.size(); ++i) {
    auto layer = std::make_shared<ImageLayer>();
    layer->descriptor = image->manifest.layers[i];
    layer->diff_id = diff_ids[i];
    image->layers.push_back(std::move(layer));
  }
  return image;
}

// For the waiting pool.
std::shared_ptr<BaseImage> read_layout_image(const std::string& place, const oci::Platform& platform) {
  const auto at = place.find('@');
  std::string directory = place.substr(0, at);
  std::string name = "latest";
  if (const auto colon = directory.rfind(':'); colon != std::string::npos && directory.find('/', colon) == std::string::npos) {
    name = directory.substr(colon + 1);
    directory.resize(colon);
  }
  oci::Descriptor entry;
  if (at == std::string::npos) {
    entry = oci::find_in_layout(directory, name);
  } else {
    entry.digest = oci::Digest::parse(std::string_view(place).substr(at + 1));
  }
  std::string bytes = oci::read_layout_blob(directory, entry.digest);
  if (const oci::Json document = oci::Json::parse(bytes, nullptr, false); document.is_object()) {
    entry.media_type = document.value("mediaType", entry.media_type);
  }
  if (oci::is_index(entry.media_type)) {
    entry = oci::choose(oci::parse_index(bytes, entry.media_type), platform);
    bytes = oci::read_layout_blob(directory, entry.digest);
  }
  oci::Manifest manifest = oci::parse_manifest(bytes, entry.media_type);
  const std::string config = oci::read_layout_blob(directory, manifest.config.digest);
  auto image = make_base_image(place, entry.digest, std::move(manifest), config);
  for (const auto& layer : image->layers) layer->origin_file = oci::layout_blob_path(directory, layer->descriptor.digest);
  return image;
}

void tell(Session& session, const std::string& name, const BaseImage& image) {
  session.progress.message(fmt::format("base {} is {} with {} layers", name, image.digest.text(), image.layers.size()));
}

}  // namespace

Task<std::shared_ptr<BaseImage>> load_base_image(Session& session, oci::Reference reference, oci::Platform platform) {
  const PhaseClock::Activity resolving(session.clock, "resolve", reference.text());
  const oci::PulledManifest pulled = co_await session.hub.pull_manifest(reference, platform);
  oci::Manifest manifest = oci::parse_manifest(pulled.manifest.bytes, pulled.manifest.media_type);
  const std::string config = co_await pulled.registry->get_blob(pulled.repository, manifest.config);
  auto image = make_base_image(reference.text(), pulled.manifest.digest, std::move(manifest), config);
  for (const auto& layer : image->layers) {
    layer->origin = pulled.registry;
    layer->origin_repository = pulled.repository;
  }
  tell(session, reference.familiar(), *image);
  co_return image;
}

Task<std::shared_ptr<BaseImage>> load_layout_image(Session& session, std::string place, oci::Platform platform) {
  const PhaseClock::Activity resolving(session.clock, "resolve", place);
  auto read = [&] { return read_layout_image(place, platform); };
  auto image = co_await io::offload(session.runtime.waiting(), read);
  tell(session, place, *image);
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
