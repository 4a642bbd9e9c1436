// Base images: manifest and config from the registry, or all of it from the directory of base images or another layout.
#include <algorithm>

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "engine/build/base_files.hpp"
#include "engine/build/layer_cache.hpp"
#include "engine/build/layers.hpp"
#include "engine/dockerfile/suggest.hpp"
#include "io/base/error.hpp"
#include "oci/output/read_layout.hpp"

namespace kiln::engine {

namespace {

using io::Task;

void set_manifest(BaseImage& image, std::string bytes, std::string_view media_type) {
  image.digest = oci::Digest::of(io::as_bytes(bytes));
  image.manifest = oci::parse_manifest(bytes, media_type);
  image.manifest_bytes = std::move(bytes);
}

// What the directory has of an image; nothing when that is not manifest and config. Damage is told.
std::shared_ptr<BaseImage> read_stored(const oci::ImageStore& store, const oci::Reference& reference, const oci::Digest& digest,
                                       const oci::Platform& platform) {
  auto image = std::make_shared<BaseImage>();
  try {
    const std::optional<oci::Descriptor> entry = store.find(digest, platform);
    if (!entry || oci::is_index(entry->media_type)) return nullptr;
    image->reference = reference;
    if (entry->digest != digest) image->index = digest;
    set_manifest(*image, store.read_blob(*entry), entry->media_type);
    image->config_bytes = store.read_blob(image->manifest.config);
    store.note_use(*entry);
  } catch (const io::Error& error) {
    spdlog::warn("{}; asking the registry for {}", error.message(), reference.familiar());
    return nullptr;
  }
  return image;
}

Task<std::shared_ptr<BaseImage>> stored_image(Session& session, oci::Reference reference, oci::Digest digest,
                                              oci::Platform platform) {
  if (!session.image_store || digest.empty()) co_return nullptr;
  const auto read = [&session, reference, digest, platform] {
    return read_stored(*session.image_store, reference, digest, platform);
  };
  std::shared_ptr<BaseImage> image = co_await io::offload(session.runtime.waiting(), read);
  co_return image;
}

// For a tag whose registry cannot be reached: how the build could do without.
void add_hint(const Session& session, const oci::Reference& reference, io::Error& error) {
  if (error.kind() != io::ErrorKind::network || !session.image_store || !reference.digest.empty()) return;
  std::optional<oci::Descriptor> entry;
  try {
    entry = session.image_store->find(reference.text());
  } catch (const io::Error&) {  // the first error is the one to be told
  }
  if (!entry) return;
  error = io::Error(error.kind(), fmt::format("{} ({} has this image as it was: FROM {}@{} needs no registry)", error.message(),
                                              session.image_store->directory(), reference.familiar(), entry->digest.text()));
}

// A stage's name that is misspelt is taken for an image's.
void add_stage_hint(const Session& session, const oci::Reference& reference, io::Error& error) {
  constexpr std::string_view official = "library/";
  if (reference.registry != "docker.io" || !reference.repository.starts_with(official)) return;
  std::vector<std::string> names;
  for (const auto& stage : session.plan.stages) {
    if (stage.named) names.push_back(stage.name);
  }
  const std::string name = reference.repository.substr(official.size());
  const std::string near = dockerfile::nearest(name, names);
  if (near.empty()) return;
  error = io::Error(error.kind(), fmt::format("{} (and no stage is called {}: did you mean {}?)", error.message(), name, near));
}

Task<oci::PulledManifest> pull_manifest(Session& session, oci::Reference reference, oci::Platform platform) {
  std::optional<io::Error> failure;
  oci::PulledManifest pulled;
  try {
    pulled = co_await session.hub.pull_manifest(reference, platform);
  } catch (const io::Error& error) {
    failure = error;
  }
  if (!failure) co_return pulled;
  add_hint(session, reference, *failure);
  add_stage_hint(session, reference, *failure);
  throw *failure;
}

// From the layer cache, where the first build leaves it, else from the registry.
Task<std::string> pulled_config(Session& session, const BaseImage& image, const oci::PulledManifest& pulled) {
  const oci::Descriptor& config = image.manifest.config;
  std::optional<std::string> bytes;
  if (session.cache) bytes = co_await session.cache->find_config(image.digest, config);
  if (bytes) co_return std::move(*bytes);
  bytes = co_await pulled.registry->get_blob(pulled.repository, config);
  if (session.cache) {
    oci::Reference name = image.reference;
    name.digest = image.digest;
    session.cache->remember_config(image.digest, config, *bytes, name.familiar());
  }
  co_return std::move(*bytes);
}

// Manifest from the registry, config from there unless the directory or the layer cache has it.
Task<std::shared_ptr<BaseImage>> pulled_image(Session& session, oci::Reference reference, oci::Platform platform,
                                              oci::PulledManifest pulled) {
  std::shared_ptr<BaseImage> image = co_await stored_image(session, reference, pulled.manifest.digest, platform);
  if (!image) {
    image = std::make_shared<BaseImage>();
    image->reference = reference;
    set_manifest(*image, pulled.manifest.bytes, pulled.manifest.media_type);
    image->config_bytes = co_await pulled_config(session, *image, pulled);
  }
  image->index = pulled.index;
  co_return image;
}

// Layers have no origin yet. `name` is for messages.
void finish_image(BaseImage& image, const std::string& name, const oci::ImageStore* store) {
  image.config = io::with_context(name, [&] { return oci::parse_config(image.config_bytes); });
  const auto& diff_ids = image.config.diff_ids;
  if (diff_ids.size() != image.manifest.layers.size()) {
    throw io::Error(io::ErrorKind::protocol, fmt::format("{}: its config has {} diff ids for {} layers", name, diff_ids.size(),
                                                         image.manifest.layers.size()));
  }
  for (std::size_t i = 0; i < diff_ids.size(); ++i) {
    auto layer = std::make_shared<ImageLayer>();
    layer->descriptor = image.manifest.layers[i];
    layer->diff_id = diff_ids[i];
    if (store) layer->file = store->open_blob(layer->descriptor);
    image.layers.push_back(std::move(layer));
  }
}

// `place`: DIRECTORY[:NAME][@DIGEST].
std::shared_ptr<BaseImage> read_layout_image(const std::string& place, const oci::Platform& platform) {
  const auto at = place.find('@');
  const std::string directory = layout_place_directory(place);
  const std::string rest = place.substr(directory.size());
  const std::string name = rest.starts_with(':') ? rest.substr(1) : "latest";
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
  auto image = std::make_shared<BaseImage>();
  set_manifest(*image, std::move(bytes), entry.media_type);
  image->config_bytes = oci::read_layout_blob(directory, image->manifest.config.digest);
  const oci::ImageStore store(directory);
  finish_image(*image, place, &store);
  for (const auto& layer : image->layers) {
    if (!layer->file)
      throw io::Error(io::ErrorKind::integrity, fmt::format("'{}' lacks {}", directory, layer->descriptor.digest.text()));
  }
  return image;
}

bool has_all_bytes(const oci::ImageStore& store, const BaseImage& image) {
  return std::ranges::all_of(image.layers, [&](const ImageLayerPtr& layer) {
    return (layer->blob && layer->blob->completed()) || store.open_blob(layer->descriptor);
  });
}

// One whose layers this build had no need of stays as it was there.
void store_image(const oci::ImageStore& store, const BaseImage& image) {
  const std::optional<oci::Descriptor> known = store.find(image.reference.text());
  const bool there = known && known->digest == image.digest && store.open_blob(*known) && store.open_blob(image.manifest.config);
  if (!has_all_bytes(store, image)) return;
  oci::ImageStore::Writer writer(store);
  for (const auto& layer : image.layers) {
    if (layer->blob && layer->blob->completed()) writer.add(layer->descriptor, *layer->blob);
  }
  if (there) return;
  oci::Image stored;
  stored.manifest = image.manifest;
  stored.manifest_bytes = image.manifest_bytes;
  stored.manifest_digest = image.digest;
  stored.config_bytes = image.config_bytes;
  stored.platform = image.config.platform;
  writer.publish(stored, image.reference.text(), image.index);
}

}  // namespace

Task<std::shared_ptr<BaseImage>> load_base_image(Session& session, oci::Reference reference, oci::Platform platform) {
  const PhaseClock::Activity resolving(session.clock, "resolve", reference.text());
  oci::PulledManifest pulled;
  std::shared_ptr<BaseImage> image = co_await stored_image(session, reference, reference.digest, platform);
  if (!image) {
    pulled = co_await pull_manifest(session, reference, platform);
    image = co_await pulled_image(session, reference, platform, pulled);
  }
  finish_image(*image, reference.text(), session.image_store.get());
  for (const auto& layer : image->layers) {
    layer->origin = pulled.registry;
    layer->origin_repository = pulled.repository;
    layer->image = reference;
    layer->image.digest = image->digest;
  }
  const auto stored = std::ranges::count_if(image->layers, [](const ImageLayerPtr& layer) { return layer->file != nullptr; });
  const std::string where = stored > 0 ? fmt::format(", {} of them in {}", stored, session.image_store->directory()) : "";
  session.progress.message(
      fmt::format("base {} is {} with {} layers{}", reference.familiar(), image->digest.text(), image->layers.size(), where));
  session.base_images.push_back(image);
  co_return image;
}

std::string layout_place_directory(const std::string& place) {
  std::string directory = place.substr(0, place.find('@'));
  const auto colon = directory.rfind(':');
  if (colon != std::string::npos && directory.find('/', colon) == std::string::npos) directory.resize(colon);
  return directory;
}

Task<std::shared_ptr<BaseImage>> load_layout_image(Session& session, std::string place, oci::Platform platform) {
  const PhaseClock::Activity resolving(session.clock, "resolve", place);
  auto read = [&] { return read_layout_image(place, platform); };
  std::shared_ptr<BaseImage> image = co_await io::offload(session.runtime.waiting(), read);
  session.progress.message(fmt::format("base {} is {} with {} layers", place, image->digest.text(), image->layers.size()));
  co_return image;
}

Task<void> keep_base_images(Session& session) {
  const CacheSettings& settings = session.request.cache;
  if (!session.image_store || !settings.keep_base_images) co_return;
  const auto store = [&session] {
    for (const auto& image : session.base_images) store_image(*session.image_store, *image);
  };
  const auto trim = [&session, &settings] { session.image_store->trim(settings.ttl, settings.limit); };
  try {
    co_await io::offload(session.runtime.waiting(), store);
    co_await keep_base_files(session);
    if (settings.limit > 0) co_await io::offload(session.runtime.waiting(), trim);
  } catch (const io::Error& error) {
    if (error.kind() == io::ErrorKind::cancelled) throw;
    spdlog::warn("base images are not kept in {}: {}", settings.directory, error.message());
  }
}

}  // namespace kiln::engine
