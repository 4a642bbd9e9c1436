#include "engine/cache/registry_store.hpp"

#include <algorithm>
#include <functional>

#include <fmt/format.h>

#include "engine/cache/entry.hpp"
#include "io/base/error.hpp"
#include "io/loop/task_group.hpp"

namespace kiln::engine {

namespace {

using io::Task;

constexpr int requests_at_once = 8;

bool is_key(const std::string& tag) { return tag.size() == 64 && tag.find_first_not_of("0123456789abcdef") == std::string::npos; }

class RegistryStore final : public CacheStore {
 public:
  RegistryStore(io::Runtime& runtime, oci::RegistryHub& hub, const oci::Reference& repository)
      : runtime_(runtime),
        reader_(hub.for_pull(repository.registry)),
        writer_(hub.for_push(repository.registry)),
        repository_(repository.repository) {}

  std::string host() const override { return writer_.host(); }

  Task<std::optional<CachedLayer>> find(std::string key) override {
    std::optional<oci::RawManifest> raw;
    try {
      raw = co_await reader_.get_manifest(repository_, key);
    } catch (const io::Error& error) {
      if (error.kind() != io::ErrorKind::not_found) throw;
    }
    if (!raw) co_return std::nullopt;
    CachedLayer layer = read_entry(key, oci::parse_manifest(raw->bytes, raw->media_type));
    layer.registry = &reader_;
    layer.repository = repository_;
    co_return layer;
  }

  Task<void> put(std::string key, CachedLayer entry, oci::SpoolBlobPtr blob, std::string mount_from) override {
    bool there = co_await writer_.has_blob(repository_, entry.layer.digest);
    if (!there && !mount_from.empty()) there = co_await writer_.mount(repository_, entry.layer.digest, mount_from);
    if (!there) co_await writer_.upload(repository_, blob, entry.layer, {});
    const oci::Image image = make_entry(key, entry);
    co_await writer_.upload_bytes(repository_, image.config_bytes, image.manifest.config.digest);
    oci::RawManifest raw;
    raw.bytes = image.manifest_bytes;
    raw.media_type = oci::media_type::oci_manifest;
    raw.digest = image.manifest_digest;
    co_await writer_.put_manifest(repository_, key, raw);
  }

  // Tags that are no keys are somebody else's.
  Task<std::vector<StoredEntry>> list() override {
    std::vector<std::string> tags = co_await reader_.list_tags(repository_);
    std::erase_if(tags, std::not_fn(is_key));
    std::vector<StoredEntry> entries(tags.size());
    std::size_t next = 0;
    io::TaskGroup group(runtime_.executor());
    for (int i = 0; i < requests_at_once; ++i) group.spawn(describe_some(tags, entries, next));
    co_await group.join();
    std::erase_if(entries, [](const StoredEntry& entry) { return entry.manifest.empty(); });  // deleted meanwhile
    std::ranges::sort(entries, std::greater(), &StoredEntry::created);
    co_return entries;
  }

  Task<Pruned> prune(PruneLimits limits) override {
    if (limits.used_after) {
      throw io::Error(io::ErrorKind::unsupported, "a registry does not tell when an entry was used: limit the age or the size");
    }
    std::vector<StoredEntry> entries = co_await list();
    Pruned pruned;
    std::uint64_t kept = 0;
    for (auto& entry : entries) {
      const bool old = limits.created_after && entry.created < *limits.created_after;
      const bool large = limits.size && kept + entry.size > *limits.size;
      if (entry.problem.empty() && !old && !large) {
        kept += entry.size;
        continue;
      }
      if (!limits.dry_run) co_await writer_.delete_manifest(repository_, entry.manifest);
      pruned.bytes += entry.size;
      pruned.entries.push_back(std::move(entry));
    }
    co_return pruned;
  }

 private:
  // Describes tags until none is left; several of these share `next`.
  Task<void> describe_some(const std::vector<std::string>& tags, std::vector<StoredEntry>& entries, std::size_t& next) {
    while (next < tags.size()) {
      const std::size_t number = next++;
      co_await describe(tags[number], entries[number]);
    }
  }

  Task<void> describe(const std::string& key, StoredEntry& entry) {
    std::optional<oci::RawManifest> raw;
    try {
      raw = co_await reader_.get_manifest(repository_, key);
    } catch (const io::Error& error) {
      if (error.kind() != io::ErrorKind::not_found) throw;
    }
    if (!raw) co_return;
    entry.name = key;
    entry.manifest = raw->digest;
    std::optional<CachedLayer> layer;
    try {
      layer = read_entry(key, oci::parse_manifest(raw->bytes, raw->media_type));
    } catch (const io::Error& error) {
      entry.problem = error.message();
    }
    if (!layer) co_return;
    entry.created = layer->created;
    entry.size = layer->layer.size;
    entry.step = layer->step;
    const bool there = co_await reader_.has_blob(repository_, layer->layer.digest);
    if (!there) entry.problem = "its layer is gone";
  }

  io::Runtime& runtime_;
  oci::Registry& reader_;
  oci::Registry& writer_;
  std::string repository_;
};

}  // namespace

std::unique_ptr<CacheStore> open_registry_store(io::Runtime& runtime, oci::RegistryHub& hub, const oci::Reference& repository) {
  return std::make_unique<RegistryStore>(runtime, hub, repository);
}

}  // namespace kiln::engine
