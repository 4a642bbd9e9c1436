#include "engine/cache/registry_store.hpp"

#include <algorithm>
#include <chrono>
#include <functional>

#include <fmt/format.h>

#include "engine/cache/artifact.hpp"
#include "engine/cache/base_config.hpp"
#include "engine/cache/entry.hpp"
#include "engine/cache/file_index.hpp"
#include "engine/cache/patience.hpp"
#include "engine/cache/retention.hpp"
#include "io/base/error.hpp"
#include "io/base/seconds_now.hpp"
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
        repository_(repository.repository),
        reading_(reader_),
        writing_(writer_) {}

  std::string host() const override { return writer_.host(); }
  bool alive() const override { return writing_.alive() || reading_.alive(); }

  Task<std::optional<CachedLayer>> find(std::string key) override {
    const std::optional<oci::RawManifest> raw = co_await look_up(key);
    if (!raw) co_return std::nullopt;
    CachedLayer layer = read_entry(key, oci::parse_manifest(raw->bytes, raw->media_type));
    layer.registry = &reader_;
    layer.repository = repository_;
    co_return layer;
  }

  Task<void> put(std::string key, CachedLayer entry, oci::SpoolBlobPtr blob, std::string mount_from) override {
    const oci::Digest digest = entry.layer.digest;
    bool there = false;
    co_await writing_.wait(ask_for_blob(digest, there), longest_look_up);
    if (!there) co_await writing_.wait(send_layer(entry.layer, std::move(blob), std::move(mount_from)), longest_write);
    co_await writing_.wait(send_image(key, make_entry(key, entry)), longest_write);
  }

  Task<std::optional<std::string>> find_config(std::string key, oci::Descriptor config) override {
    const std::optional<oci::RawManifest> raw = co_await look_up(key);
    if (!raw) co_return std::nullopt;
    co_return read_base_config(key, config, raw->bytes);
  }

  Task<void> put_config(std::string key, oci::Descriptor config, std::string bytes, std::string name) override {
    oci::Image image = make_base_config(key, config, bytes, name, io::seconds_now());
    const oci::Digest layer = image.manifest.layers.front().digest;
    co_await writing_.wait(writer_.upload_bytes(repository_, std::string(empty_layer_bytes), layer), longest_write);
    co_await writing_.wait(send_image(std::move(key), std::move(image)), longest_write);
  }

  Task<std::optional<std::string>> find_document(std::string name) override {
    const std::optional<oci::RawManifest> raw = co_await look_up(name);
    if (!raw) co_return std::nullopt;
    co_return document_of(oci::parse_manifest(raw->bytes, raw->media_type));
  }

  Task<void> put_document(std::string name, std::string bytes) override {
    oci::Image document = make_artifact(inputs_type, {}, document_annotations(bytes, io::seconds_now()));
    co_await writing_.wait(push_artifact(writer_, repository_, std::move(name), std::move(document)), longest_write);
  }

  // Tags that are no keys are somebody else's.
  Task<std::vector<StoredEntry>> list() override {
    std::vector<std::string> tags = co_await reader_.list_tags(repository_);
    std::erase_if(tags, [](const std::string& tag) {
      return !is_key(tag) && !tag.starts_with(mount_prefix) && !tag.starts_with(files_prefix);
    });
    std::vector<StoredEntry> entries(tags.size());
    std::size_t next = 0;
    io::TaskGroup group(runtime_.executor());
    for (int i = 0; i < requests_at_once; ++i) group.spawn(describe_some(tags, entries, next));
    co_await group.join();
    std::erase_if(entries, [](const StoredEntry& entry) { return entry.manifest.empty(); });  // deleted meanwhile
    std::ranges::sort(entries, std::greater(), &StoredEntry::created);
    mark_unreachable(entries);
    co_return entries;
  }

  Task<Pruned> prune(PruneLimits limits) override {
    if (limits.used_after) {
      throw io::Error(io::ErrorKind::unsupported, "a registry does not tell when an entry was used: limit the age or the size");
    }
    std::vector<StoredEntry> entries = co_await list();
    Pruned pruned;
    pruned.entries = choose_to_go(entries, limits);
    for (const auto& entry : pruned.entries) {
      if (!limits.dry_run) co_await writer_.delete_manifest(repository_, entry.manifest);
      pruned.bytes += entry.size;
    }
    if (!limits.dry_run) co_await prune_documents(limits, entries.empty());
    co_return pruned;
  }

 private:
  // manifest() of a build, which has no time for registries that are gone.
  Task<std::optional<oci::RawManifest>> look_up(std::string tag) {
    std::optional<oci::RawManifest> raw;
    co_await reading_.wait(look_up_into(std::move(tag), raw), longest_look_up);
    co_return raw;
  }

  Task<void> look_up_into(std::string tag, std::optional<oci::RawManifest>& raw) { raw = co_await manifest(std::move(tag)); }

  Task<void> ask_for_blob(oci::Digest digest, bool& there) { there = co_await writer_.has_blob(repository_, std::move(digest)); }

  Task<void> send_layer(oci::Descriptor layer, oci::SpoolBlobPtr blob, std::string mount_from) {
    bool there = false;
    try {
      if (!mount_from.empty()) there = co_await writer_.mount(repository_, layer.digest, std::move(mount_from));
    } catch (const io::Error& error) {
      if (error.kind() != io::ErrorKind::denied) throw;  // a token for both repositories may not be had
    }
    if (!there) co_await writer_.upload(repository_, std::move(blob), layer, writing_.on_bytes());
  }

  Task<void> send_image(std::string tag, oci::Image image) {
    co_await writer_.upload_bytes(repository_, image.config_bytes, image.manifest.config.digest);
    oci::RawManifest raw;
    raw.bytes = std::move(image.manifest_bytes);
    raw.media_type = oci::media_type::oci_manifest;
    raw.digest = image.manifest_digest;
    co_await writer_.put_manifest(repository_, std::move(tag), std::move(raw));
  }

  // Nothing when there is none of that tag.
  Task<std::optional<oci::RawManifest>> manifest(std::string tag) {
    std::optional<oci::RawManifest> raw;
    try {
      raw = co_await reader_.get_manifest(repository_, std::move(tag));
    } catch (const io::Error& error) {
      if (error.kind() != io::ErrorKind::not_found) throw;
    }
    co_return raw;
  }

  // Describes tags until none is left; several of these share `next`.
  Task<void> describe_some(const std::vector<std::string>& tags, std::vector<StoredEntry>& entries, std::size_t& next) {
    while (next < tags.size()) {
      const std::size_t number = next++;
      co_await describe(tags[number], entries[number]);
    }
  }

  Task<void> describe(const std::string& key, StoredEntry& entry) {
    const std::optional<oci::RawManifest> raw = co_await manifest(key);
    if (!raw) co_return;
    entry.name = key;
    entry.manifest = raw->digest;
    oci::Manifest manifest;
    try {
      manifest = oci::parse_manifest(raw->bytes, raw->media_type);
      key.starts_with(mount_prefix) ? describe_mount(manifest, entry) : describe_layer(manifest, entry);
    } catch (const io::Error& error) {
      entry.problem = error.message();
    }
    const bool blob = entry.kind == StoredEntry::Kind::layer || entry.kind == StoredEntry::Kind::files;
    if (!entry.problem.empty() || !blob) co_return;
    const bool there = co_await reader_.has_blob(repository_, manifest.layers.front().digest);
    if (!there) entry.problem = "its layer is gone";
  }

  static void describe_layer(const oci::Manifest& manifest, StoredEntry& entry) {
    if (is_base_config(manifest)) {
      entry.kind = StoredEntry::Kind::image;
      entry.created = base_config_created(manifest);
      entry.step = base_config_name(manifest);
      return;
    }
    if (entry.name.starts_with(files_prefix)) entry.kind = StoredEntry::Kind::files;
    const CachedLayer layer = read_entry(entry.name, manifest);
    entry.created = layer.created;
    entry.size = layer.layer.size;
    entry.step = layer.step;
    entry.before = layer.before;
  }

  // Accounts of inputs go with their age, or with the last entry.
  Task<void> prune_documents(PruneLimits limits, bool all) {
    if (!all && !limits.created_after) co_return;
    std::vector<std::string> tags = co_await reader_.list_tags(repository_);
    std::erase_if(tags, [](const std::string& tag) { return !tag.starts_with(inputs_prefix); });
    for (const auto& tag : tags) {
      const std::optional<oci::RawManifest> raw = co_await manifest(tag);
      if (!raw) continue;
      const oci::Manifest document = oci::parse_manifest(raw->bytes, raw->media_type);
      const bool old = limits.created_after && created_of(document) < *limits.created_after;
      if (all || old) co_await writer_.delete_manifest(repository_, raw->digest);
    }
  }

  io::Runtime& runtime_;
  oci::Registry& reader_;
  oci::Registry& writer_;
  std::string repository_;
  Patience reading_;
  Patience writing_;
};

}  // namespace

std::unique_ptr<CacheStore> open_registry_store(io::Runtime& runtime, oci::RegistryHub& hub, const oci::Reference& repository) {
  return std::make_unique<RegistryStore>(runtime, hub, repository);
}

}  // namespace kiln::engine
