#include "engine/build/layers.hpp"

#include <algorithm>
#include <chrono>

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "engine/build/outputs.hpp"
#include "io/base/error.hpp"
#include "io/base/seconds_now.hpp"

namespace kiln::engine {

namespace {

using io::Task;

// Whether the layer's copy on disk is right; then its bytes are the blob's. A damaged one is a warning where a registry has the
// layer, too, and is deleted from a cache. Errors: io::Error of the copy where none has it.
Task<bool> take_file(Session& session, ImageLayerPtr layer) {
  const PhaseClock::Activity verifying(session.clock, "verify", layer->descriptor.digest.text());
  std::optional<io::Error> damage;
  try {
    const auto verify = [file = layer->file] { file->verify(); };
    co_await io::offload(session.runtime.cpu(), verify);
  } catch (const io::Error& error) {
    damage = error;
  }
  if (!damage) {
    layer->blob->adopt(std::move(layer->file->fd), layer->descriptor.digest, layer->descriptor.size);
    co_return true;
  }
  const bool elsewhere = layer->origin || !layer->image.repository.empty();
  if (elsewhere || layer->from_cache) layer->file->discard();
  if (!elsewhere) throw *damage;
  spdlog::warn("{}; downloading it", damage->message());
  co_return false;
}

// Into the layer's blob, or through `passage`.
Task<void> pull_layer(Session& session, ImageLayerPtr layer, oci::PassagePtr passage) {
  const PhaseClock::Activity pulling(session.clock, "pull", layer->descriptor.digest.text());
  if (!layer->origin) {
    const oci::PulledManifest pulled = co_await session.hub.pull_manifest(layer->image, session.request.platform);
    layer->origin = pulled.registry;
    layer->origin_repository = pulled.repository;
  }
  const int transfer = session.next_transfer++;
  session.progress.transfer_started(transfer, fmt::format("pull {}", layer->descriptor.digest.hex().substr(0, 12)),
                                    layer->descriptor.size);
  const oci::OnBytes on_bytes = [&session, transfer](std::uint64_t bytes) {
    session.bytes_pulled += bytes;
    session.clock.add_bytes("pull", bytes);
    session.progress.transfer_advanced(transfer, bytes);
  };
  if (passage) {
    const auto make_spool = [&session] {
      return std::make_shared<oci::SpoolBlob>(session.runtime.executor(), session.spool_directory);
    };
    co_await layer->origin->download(layer->origin_repository, layer->descriptor, passage, make_spool, on_bytes);
  } else {
    co_await layer->origin->download(layer->origin_repository, layer->descriptor, layer->blob, on_bytes);
  }
  session.progress.transfer_finished(transfer, "");
}

Task<void> fetch_layer(Session& session, ImageLayerPtr layer) {
  std::exception_ptr failure;
  try {
    bool there = false;
    if (layer->file) there = co_await take_file(session, layer);
    if (!there) co_await pull_layer(session, layer, nullptr);
  } catch (...) {
    failure = std::current_exception();
  }
  if (!failure) co_return;
  session.cache_failed = session.cache_failed || layer->from_cache;
  layer->blob->fail(failure);
  std::rethrow_exception(failure);
}

Task<void> pass_layer(Session& session, ImageLayerPtr layer, oci::PassagePtr passage) {
  std::exception_ptr failure;
  try {
    co_await pull_layer(session, layer, passage);
  } catch (...) {
    failure = std::current_exception();
  }
  if (!failure) co_return;
  session.cache_failed = session.cache_failed || layer->from_cache;
  passage->fail(failure);
  std::rethrow_exception(failure);
}

oci::PassagePtr passage_of(Session& session, const ImageLayerPtr& layer) {
  auto passage = std::make_shared<oci::Passage>(session.runtime.executor(), layer->descriptor);
  passage->start_with([&session, layer, weak = std::weak_ptr<oci::Passage>(passage)] {
    if (const oci::PassagePtr opened = weak.lock()) session.transfers.spawn(pass_layer(session, layer, opened));
  });
  return passage;
}

// Whether no bytes are at hand, and nothing that the build leaves behind is made of them.
bool may_pass(const Session& session, const ImageLayer& layer) {
  const BuildRequest& request = session.request;
  return layer.origin && !layer.blob && !layer.file && !wants_files(request) &&
         !(session.image_store && request.cache.keep_base_images);
}

Task<void> capture_layer(Session& session, std::shared_ptr<Capture> capture, Tree tree, Changes changes, oci::ImageFormat format,
                         LayerSettings settings) {
  const PhaseClock::Activity capturing(session.clock, "capture");
  std::exception_ptr failure;
  try {
    const auto on_captured = [capture] {
      capture->captured = true;
      capture->changed.notify_all();
    };
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

constexpr auto watching_interval = std::chrono::milliseconds(200);

// Through memory a layer comes only when its turn is near, and over one connection at first. Where that is slower than unpacking,
// the layers whose turn is still to come are downloaded to the spool now, all at once.
Task<void> watch_supply(std::vector<LayerInput> inputs) {
  const auto waits = [](const LayerInput& input) { return input.passes() && !input.passage->opened(); };
  const auto starves = [](const LayerInput& input) { return input.passage && input.passage->starved(); };
  while (std::ranges::any_of(inputs, waits)) {
    if (std::ranges::any_of(inputs, starves)) {
      for (const auto& input : inputs) {
        if (waits(input)) input.blob->want();
      }
      co_return;
    }
    co_await io::sleep_for(watching_interval);
  }
}

}  // namespace

LayerSettings layer_settings(const Session& session) {
  const BuildRequest& request = session.request;
  LayerSettings settings;
  settings.compression = request.compression;
  if (request.reproducible) {
    settings.fixed_mtime = oci::FileTime{session.source_date_epoch.value_or(0), 0};
  } else if (request.rewrite_timestamp && session.source_date_epoch) {
    settings.newest_mtime = oci::FileTime{*session.source_date_epoch, 0};
  }
  return settings;
}

oci::SpoolBlobPtr blob_of(Session& session, const ImageLayerPtr& layer) {
  if (layer->blob) return layer->blob;
  layer->blob = std::make_shared<oci::SpoolBlob>(session.runtime.executor(), session.spool_directory);
  layer->blob->start_with([&session, weak = std::weak_ptr<ImageLayer>(layer)] {
    if (const ImageLayerPtr wanted = weak.lock()) session.transfers.spawn(fetch_layer(session, wanted));
  });
  return layer->blob;
}

std::vector<oci::Digest> digests_of(const std::vector<ImageLayerPtr>& layers) {
  std::vector<oci::Digest> digests;
  for (const auto& layer : layers) digests.push_back(layer->descriptor.digest);
  return digests;
}

std::vector<oci::SpoolBlobPtr> blobs_of(Session& session, const std::vector<ImageLayerPtr>& layers) {
  std::vector<oci::SpoolBlobPtr> blobs;
  for (const auto& layer : layers) blobs.push_back(blob_of(session, layer));
  return blobs;
}

oci::SpoolBlobPtr want_bytes(Session& session, const ImageLayerPtr& layer) {
  const oci::SpoolBlobPtr blob = blob_of(session, layer);
  blob->want();
  return blob;
}

std::vector<LayerInput> want_layers(Session& session, const std::vector<ImageLayerPtr>& layers,
                                    const std::function<bool(const ImageLayer&)>& passing) {
  std::vector<LayerInput> inputs;
  std::uint64_t size = 0;
  for (const auto& layer : layers) {
    if (may_pass(session, *layer) && passing(*layer)) {
      size += layer->descriptor.size;
      inputs.push_back({blob_of(session, layer), passage_of(session, layer), layer->times});
    } else {
      inputs.push_back({want_bytes(session, layer), nullptr, layer->times});
    }
  }
  if (size > 0) spdlog::debug("{} bytes of layers go through memory", size);
  if (size > worth_watching) session.transfers.spawn(watch_supply(inputs));
  return inputs;
}

std::shared_ptr<Capture> start_capture(Session& session, Tree tree, Changes changes, oci::ImageFormat format) {
  auto capture = std::make_shared<Capture>(session.runtime.executor());
  capture->layer = std::make_shared<ImageLayer>();
  capture->layer->created = io::seconds_now();
  capture->layer->blob = std::make_shared<oci::SpoolBlob>(session.runtime.executor(), session.spool_directory);
  const LayerSettings settings = layer_settings(session);
  if (settings.fixed_mtime || settings.newest_mtime) capture->layer->times = std::make_shared<const Tree>(tree);
  session.transfers.spawn(capture_layer(session, capture, std::move(tree), std::move(changes), format, settings));
  return capture;
}

Task<void> wait_captured(std::shared_ptr<Capture> capture) {
  while (!capture->captured && !capture->failed) co_await capture->changed.wait();
  if (capture->failed) throw io::Error(io::ErrorKind::cancelled, "the layer could not be captured");
}

}  // namespace kiln::engine
