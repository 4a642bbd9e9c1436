#include "engine/cache/layout_store.hpp"

#include <algorithm>
#include <functional>
#include <map>

#include "engine/cache/entry.hpp"
#include "io/base/error.hpp"
#include "oci/store/image_store.hpp"

namespace kiln::engine {

namespace {

using io::Task;

class LayoutStore final : public CacheStore {
 public:
  LayoutStore(io::Runtime& runtime, const std::string& directory) : runtime_(runtime), store_(directory) {}

  std::string host() const override { return {}; }

  Task<std::optional<CachedLayer>> find(std::string key) override {
    const auto work = [this, key] { return read(key); };
    std::optional<CachedLayer> layer = co_await io::offload(runtime_.waiting(), work);
    co_return layer;
  }

  Task<void> put(std::string key, CachedLayer entry, oci::SpoolBlobPtr blob, std::string) override {
    const auto work = [this, key, entry, blob] { write(key, entry, *blob); };
    co_await io::offload(runtime_.waiting(), work);
  }

  Task<std::vector<StoredEntry>> list() override {
    const auto work = [this] {
      std::vector<StoredEntry> entries;
      const auto all = store_.entries();
      for (const auto& entry : *all) entries.push_back(describe(entry));
      std::ranges::sort(entries, std::greater(), &StoredEntry::created);
      return entries;
    };
    std::vector<StoredEntry> entries = co_await io::offload(runtime_.waiting(), work);
    co_return entries;
  }

  Task<Pruned> prune(PruneLimits limits) override {
    const auto work = [this, limits] {
      Pruned pruned;
      std::map<oci::Digest, StoredEntry> known;
      const auto all = store_.entries();
      for (const auto& entry : *all) known.insert_or_assign(entry.digest, describe(entry));
      const auto done = store_.prune({limits.created_after, limits.used_after, limits.size, limits.dry_run}, true);
      for (const auto& entry : done->entries) pruned.entries.push_back(known[entry.digest]);
      pruned.bytes = done->bytes;
      return pruned;
    };
    Pruned pruned = co_await io::offload(runtime_.waiting(), work);
    co_return pruned;
  }

  Task<void> trim(std::chrono::seconds age, std::uint64_t size) override {
    const auto work = [this, age, size] { store_.trim(age, size); };
    co_await io::offload(runtime_.waiting(), work);
  }

 private:
  std::optional<CachedLayer> read(const std::string& key) const {
    const std::optional<oci::Descriptor> entry = store_.find(key);
    if (!entry) return std::nullopt;
    CachedLayer layer;
    try {
      layer = read_entry(key, oci::parse_manifest(store_.read_blob(*entry), entry->media_type));
    } catch (const io::Error& error) {
      throw io::Error(io::ErrorKind::integrity, error.message());
    }
    layer.file = store_.open_blob(layer.layer);
    if (!layer.file) throw io::Error(io::ErrorKind::integrity, "its layer is gone");
    store_.note_use(*entry);
    return layer;
  }

  StoredEntry describe(const oci::Descriptor& entry) const {
    StoredEntry told;
    told.name = oci::name_of(entry);
    told.manifest = entry.digest;
    told.created = store_.stored_at(entry);
    told.used = store_.used_at(entry);
    try {
      const oci::Manifest manifest = oci::parse_manifest(store_.read_blob(entry), entry.media_type);
      told.is_layer = is_entry(manifest);
      if (told.is_layer) told.step = read_entry(told.name, manifest).step;
      for (const auto& layer : manifest.layers) {
        told.size += layer.size;
        if (!store_.open_blob(layer)) told.problem = "a layer is gone";
      }
    } catch (const io::Error& error) {
      told.problem = error.message();
    }
    return told;
  }

  void write(const std::string& key, const CachedLayer& entry, const oci::SpoolBlob& blob) const {
    oci::ImageStore::Writer writer(store_);
    writer.add(entry.layer, blob);
    writer.publish(make_entry(key, entry), key, {});
  }

  io::Runtime& runtime_;
  oci::ImageStore store_;
};

}  // namespace

std::unique_ptr<CacheStore> open_layout_store(io::Runtime& runtime, const std::string& directory) {
  return std::make_unique<LayoutStore>(runtime, directory);
}

}  // namespace kiln::engine
