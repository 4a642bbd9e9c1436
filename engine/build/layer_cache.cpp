#include "engine/build/layer_cache.hpp"

#include <chrono>

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "io/base/error.hpp"
#include "oci/image/reference.hpp"

namespace kiln::engine {

namespace {

using io::Task;

constexpr std::size_t longest_step = 500;  // bytes of an instruction that an entry tells

// Kaniko's: beside the first destination.
std::string cache_place(const BuildRequest& request) {
  if (!request.cache.repository.empty()) return request.cache.repository;
  if (request.destinations.empty()) throw io::Error(io::ErrorKind::usage, "the layer cache has no place");
  return oci::parse_reference(request.destinations.front()).repository_name() + "/cache";
}

}  // namespace

LayerCache::LayerCache(Session& session)
    : session_(session),
      store_(open_cache_store(session.runtime, session.hub, cache_place(session.request))),
      writes_(session.runtime.executor()) {}

void LayerCache::trouble(const std::string& what) {
  if (!broken_) spdlog::warn("{}; building without looking anything up", what);
  broken_ = true;
}

Task<void> LayerCache::look_up(const std::string& key, std::optional<CachedLayer>& found) {
  try {
    found = co_await store_->find(key);
  } catch (const io::Error& error) {
    if (error.kind() == io::ErrorKind::cancelled) throw;
    if (error.kind() == io::ErrorKind::integrity) {
      spdlog::warn("cache entry {} is not used: {}", key, error.message());
    } else {
      trouble(fmt::format("the layer cache cannot be read: {}", error.message()));
    }
  }
  if (found && found->created + session_.request.cache.ttl.count() < seconds_now()) {
    spdlog::debug("cache entry {} is too old", key);
    found.reset();
  }
}

ImageLayerPtr LayerCache::layer_of(const CachedLayer& cached) const {
  auto layer = std::make_shared<ImageLayer>();
  layer->descriptor = cached.layer;
  layer->diff_id = cached.diff_id;
  layer->origin = cached.registry;
  layer->origin_repository = cached.repository;
  layer->file = cached.file;
  layer->from_cache = true;
  layer->created = cached.created;
  return layer;
}

Task<std::vector<ImageLayerPtr>> LayerCache::find(std::vector<std::string> keys) {
  std::vector<ImageLayerPtr> layers;
  if (broken_ || !session_.request.cache.read) co_return layers;
  std::vector<std::optional<CachedLayer>> found(keys.size());
  io::TaskGroup group(session_.runtime.executor());
  for (std::size_t i = 0; i < keys.size(); ++i) group.spawn(look_up(keys[i], found[i]));
  co_await group.join();
  for (const auto& entry : found) {
    if (!entry) break;
    layers.push_back(layer_of(*entry));
  }
  co_return layers;
}

std::string LayerCache::mountable_repository() const {
  if (!session_.request.push) return {};
  for (const auto& text : session_.request.destinations) {
    const oci::Reference reference = oci::parse_reference(text);
    if (session_.hub.for_push(reference.registry).host() == store_->host()) return reference.repository;
  }
  return {};
}

void LayerCache::remember(std::string key, std::string step, ImageLayerPtr layer, bool published) {
  if (!session_.request.cache.write) return;
  writes_.spawn(write_or_warn(std::move(key), std::move(step), std::move(layer), published ? mountable_repository() : ""));
}

Task<void> LayerCache::write_or_warn(std::string key, std::string step, ImageLayerPtr layer, std::string mount_from) {
  try {
    co_await write(key, std::move(step), std::move(layer), std::move(mount_from));
  } catch (const io::Error& error) {
    if (error.kind() == io::ErrorKind::cancelled) throw;
    spdlog::warn("cache entry {} is not written: {}", key, error.message());
  }
}

Task<void> LayerCache::write(std::string key, std::string step, ImageLayerPtr layer, std::string mount_from) {
  co_await layer->blob->wait_complete();
  while (!mount_from.empty() && !layer->pushed && !push_ended_) co_await session_.layer_pushed.wait();
  if (!layer->pushed) mount_from.clear();
  CachedLayer entry;
  entry.layer = layer->descriptor;
  entry.layer.digest = layer->blob->digest();
  entry.layer.size = layer->blob->size();
  entry.diff_id = layer->diff_id;
  entry.created = layer->created;
  entry.step = step.substr(0, longest_step);
  co_await store_->put(std::move(key), std::move(entry), layer->blob, std::move(mount_from));
}

Task<void> LayerCache::trim() {
  try {
    co_await store_->trim(session_.request.cache.ttl, session_.request.cache.limit);
  } catch (const io::Error& error) {
    if (error.kind() == io::ErrorKind::cancelled) throw;
    spdlog::warn("the layer cache keeps what it has: {}", error.message());
  }
}

Task<void> LayerCache::finish(bool pushing) {
  if (!pushing) {
    push_ended_ = true;
    session_.layer_pushed.notify_all();
  }
  co_await writes_.join();
  if (session_.request.cache.write && session_.request.cache.limit > 0) co_await trim();
}

}  // namespace kiln::engine
