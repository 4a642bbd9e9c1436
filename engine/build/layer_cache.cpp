#include "engine/build/layer_cache.hpp"

#include <algorithm>
#include <chrono>
#include <iterator>

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "engine/build/context_reads.hpp"
#include "engine/cache/input_record.hpp"
#include "engine/cache/step_keys.hpp"
#include "io/base/error.hpp"
#include "io/base/seconds_now.hpp"
#include "oci/image/reference.hpp"

namespace kiln::engine {

using io::Task;

std::string cache_place(const BuildRequest& request) {
  if (!request.cache.repository.empty()) return request.cache.repository;
  if (request.destinations.empty()) throw io::Error(io::ErrorKind::usage, "the layer cache has no place");
  return oci::parse_reference(request.destinations.front()).repository_name() + "/cache";
}

LayerCache::LayerCache(Session& session)
    : session_(session),
      store_(open_cache_store(session.runtime, session.hub, cache_place(session.request))),
      writes_(session.runtime.executor()),
      check_ended_(session.runtime.executor()) {}

void LayerCache::trouble(const std::string& what) {
  if (!broken_) spdlog::warn("{}; building without looking anything up", what);
  broken_ = true;
}

void LayerCache::tell_unread(const std::string& key, const io::Error& error) {
  if (error.kind() == io::ErrorKind::integrity) {
    spdlog::warn("cache entry {} is not used: {}", key, error.message());
  } else {
    trouble(fmt::format("the layer cache cannot be read: {}", error.message()));
  }
}

void LayerCache::tell_unwritten(const std::string& what, const io::Error& error) {
  if (error.kind() == io::ErrorKind::cancelled) throw error;
  if (lost_) {
    spdlog::debug("{}: {}", what, error.message());
    return;
  }
  gone_ = error.kind() == io::ErrorKind::network && !store_->alive();
  lost_ = gone_ || error.kind() == io::ErrorKind::denied;
  if (!lost_) {
    spdlog::warn("{}: {}", what, error.message());
    return;
  }
  spdlog::warn("the layer cache {}: {}; this build leaves nothing more there", gone_ ? "cannot be reached" : "cannot be written",
               error.message());
  writes_.cancel();
}

bool LayerCache::writes() const { return session_.request.cache.write && !stopped_ && !lost_; }

Task<void> LayerCache::look_up(const std::string& key, std::optional<CachedLayer>& found) {
  try {
    found = co_await store_->find(key);
  } catch (const io::Error& error) {
    if (error.kind() == io::ErrorKind::cancelled) throw;
    tell_unread(key, error);
  }
  if (found && found->created + session_.request.cache.ttl.count() < io::seconds_now()) {
    spdlog::debug("cache entry {} is too old", key);
    found.reset();
  }
  if (found) there_.insert(key);
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

Task<std::optional<std::string>> LayerCache::find_config(oci::Digest image, oci::Descriptor config) {
  std::optional<std::string> bytes;
  if (broken_ || !session_.request.cache.read) co_return bytes;
  const std::string key = config_key(image);
  try {
    bytes = co_await store_->find_config(key, std::move(config));
  } catch (const io::Error& error) {
    if (error.kind() == io::ErrorKind::cancelled) throw;
    tell_unread(key, error);
  }
  co_return bytes;
}

void LayerCache::remember_config(oci::Digest image, oci::Descriptor config, std::string bytes, std::string name) {
  if (!session_.request.cache.write || lost_ || session_.request.cache.explain) return;
  writes_.spawn(write_config(std::move(image), std::move(config), std::move(bytes), std::move(name)));
}

Task<void> LayerCache::write_config(oci::Digest image, oci::Descriptor config, std::string bytes, std::string name) {
  const std::string key = config_key(image);
  try {
    co_await store_->put_config(key, std::move(config), std::move(bytes), std::move(name));
  } catch (const io::Error& error) {
    tell_unwritten(fmt::format("cache entry {} is not written", key), error);
  }
}

std::string LayerCache::mountable_repository() const {
  if (!session_.request.push) return {};
  for (const auto& text : session_.request.destinations) {
    const oci::Reference reference = oci::parse_reference(text);
    if (session_.hub.for_push(reference.registry).host() == store_->host()) return reference.repository;
  }
  return {};
}

void LayerCache::stop_writing(const std::string& why) {
  if (!stopped_ && session_.request.cache.write) spdlog::warn("{}: from here on nothing is left in the layer cache", why);
  stopped_ = true;
}

void LayerCache::remember(NewEntry entry, ImageLayerPtr layer, bool published) {
  if (!writes()) return;
  made_.push_back(layer);
  if (entry.reads_context) context_layers_.push_back(made_.size());
  writes_.spawn(write_or_warn(std::move(entry), std::move(layer), published ? mountable_repository() : "", made_.size()));
}

Task<void> LayerCache::write_or_warn(NewEntry names, ImageLayerPtr layer, std::string mount_from, std::size_t number) {
  const std::string key = names.key;
  try {
    const bool right = co_await holds(number);
    if (!right) co_return;
    co_await write(std::move(names), std::move(layer), std::move(mount_from));
    there_.insert(key);
  } catch (const io::Error& error) {
    tell_unwritten(fmt::format("cache entry {} is not written", key), error);
  }
}

// Whether the layers up to `number` are what their keys say. Each may stand on those before it, so all of them must have been
// captured; a walk over the contexts after that covers them.
Task<bool> LayerCache::holds(std::size_t number) {
  for (std::size_t i = 0; i < number; ++i) co_await made_[i]->blob->wait_complete();
  const auto later = std::ranges::upper_bound(context_layers_, number);
  const std::size_t last = later == context_layers_.begin() ? 0 : *std::prev(later);
  while (checking_) co_await check_ended_.wait();
  if (checked_ >= last || context_changed_) co_return !context_changed_;
  checking_ = true;
  std::string changed;
  std::exception_ptr failure;
  try {
    changed = co_await session_.context_reads->find_changed(session_);
  } catch (...) {
    failure = std::current_exception();
  }
  checking_ = false;
  check_ended_.notify_all();
  if (failure) std::rethrow_exception(failure);
  checked_ = last;
  context_changed_ = !changed.empty();
  if (context_changed_) stop_writing(fmt::format("'{}' was changed while the build read it", changed));
  co_return !context_changed_;
}

Task<void> LayerCache::write(NewEntry names, ImageLayerPtr layer, std::string mount_from) {
  while (!mount_from.empty() && !layer->pushed && !push_ended_) co_await session_.layer_pushed.wait();
  if (!layer->pushed) mount_from.clear();
  CachedLayer entry;
  entry.layer = layer->descriptor;
  entry.layer.digest = layer->blob->digest();
  entry.layer.size = layer->blob->size();
  entry.diff_id = layer->diff_id;
  entry.created = layer->created;
  entry.step = names.step.substr(0, longest_step);
  entry.before = std::move(names.before);
  co_await store_->put(std::move(names.key), std::move(entry), layer->blob, std::move(mount_from));
}

Task<std::optional<std::vector<StepInputs>>> LayerCache::recorded(std::string name) {
  if (broken_) co_return std::nullopt;
  std::vector<StepInputs> steps;
  try {
    const std::optional<std::string> bytes = co_await store_->find_document(name);
    if (bytes) {
      const auto work = [&bytes] { return unpack_record(*bytes); };
      steps = co_await io::offload(session_.runtime.cpu(), work);
    }
  } catch (const io::Error& error) {
    if (error.kind() == io::ErrorKind::cancelled) throw;
    spdlog::debug("the inputs of earlier builds cannot be read: {}", error.message());
    if (error.kind() != io::ErrorKind::integrity) co_return std::nullopt;
  }
  co_return steps;
}

void LayerCache::record(std::string name, std::vector<StepInputs> steps, std::vector<StepInputs> known) {
  if (session_.request.cache.write) records_[std::move(name)] = {std::move(steps), std::move(known)};
}

Task<void> LayerCache::write_record(std::string name, std::vector<StepInputs> steps, std::vector<StepInputs> known) {
  std::erase_if(steps, [this](const StepInputs& step) { return !there_.contains(step.key); });
  if (steps.empty()) co_return;
  try {
    const auto work = [&steps, &known] {
      const std::size_t fresh = steps.size();
      return pack_record(merge_records(std::move(steps), std::move(known)), fresh);
    };
    std::string bytes = co_await io::offload(session_.runtime.cpu(), work);
    co_await store_->put_document(std::move(name), std::move(bytes));
  } catch (const io::Error& error) {
    if (error.kind() == io::ErrorKind::cancelled) throw;
    spdlog::debug("the inputs of this build are not written: {}", error.message());
  }
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
  io::TaskGroup group(session_.runtime.executor());
  for (auto& [name, record] : records_) {
    if (!lost_) group.spawn(write_record(name, std::move(record.steps), std::move(record.known)));
  }
  records_.clear();
  co_await group.join();
  if (session_.request.cache.write && session_.request.cache.limit > 0) co_await trim();
}

}  // namespace kiln::engine
