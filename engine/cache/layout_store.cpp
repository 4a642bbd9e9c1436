#include "engine/cache/layout_store.hpp"

#include <sys/stat.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <functional>
#include <set>

#include "engine/cache/base_config.hpp"
#include "engine/cache/entry.hpp"
#include "engine/cache/file_index.hpp"
#include "engine/cache/retention.hpp"
#include "io/base/error.hpp"
#include "io/base/seconds_now.hpp"
#include "io/file/make_directories.hpp"
#include "io/file/read_file.hpp"
#include "oci/output/new_file.hpp"
#include "oci/output/read_layout.hpp"
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

  Task<std::optional<std::string>> find_config(std::string key, oci::Descriptor config) override {
    const auto work = [this, key, config]() -> std::optional<std::string> {
      const std::optional<oci::Descriptor> entry = store_.find(key);
      if (!entry) return std::nullopt;
      store_.note_use(*entry);
      return read_base_config(key, config, store_.read_blob(*entry));
    };
    std::optional<std::string> bytes = co_await io::offload(runtime_.waiting(), work);
    co_return bytes;
  }

  Task<void> put_config(std::string key, oci::Descriptor config, std::string bytes, std::string name) override {
    const auto work = [this, key, config, bytes, name] {
      const oci::Image image = make_base_config(key, config, bytes, name, io::seconds_now());
      oci::ImageStore::Writer writer(store_);
      oci::write_text_file(oci::layout_blob_path(store_.directory(), image.manifest.layers.front().digest), empty_layer_bytes);
      writer.publish(image, key, {});
    };
    co_await io::offload(runtime_.waiting(), work);
  }

  Task<std::optional<std::string>> find_document(std::string name) override {
    const auto work = [path = document_path(name)] { return io::read_file(path); };
    std::optional<std::string> bytes = co_await io::offload(runtime_.waiting(), work);
    co_return bytes;
  }

  Task<void> put_document(std::string name, std::string bytes) override {
    const auto work = [this, path = document_path(name), bytes = std::move(bytes)] {
      io::make_directories(documents());
      oci::write_text_file(path, bytes);
    };
    co_await io::offload(runtime_.waiting(), work);
  }

  Task<std::vector<StoredEntry>> list() override {
    const auto work = [this] {
      std::vector<StoredEntry> entries = described();
      std::ranges::sort(entries, std::greater(), &StoredEntry::created);
      return entries;
    };
    std::vector<StoredEntry> entries = co_await io::offload(runtime_.waiting(), work);
    co_return entries;
  }

  Task<Pruned> prune(PruneLimits limits) override {
    const auto work = [this, limits] { return *prune_now(limits, true); };
    Pruned pruned = co_await io::offload(runtime_.waiting(), work);
    co_return pruned;
  }

  Task<void> trim(std::chrono::seconds age, std::uint64_t size) override {
    const auto work = [this, age, size] {
      PruneLimits limits;
      const auto now = std::chrono::system_clock::now().time_since_epoch();
      limits.used_after = std::chrono::duration_cast<std::chrono::seconds>(now - age).count();
      limits.size = size;
      prune_now(limits, false);
    };
    co_await io::offload(runtime_.waiting(), work);
  }

 private:
  std::string documents() const { return store_.directory() + "/kiln-inputs"; }
  std::string document_path(const std::string& name) const { return documents() + "/" + name; }

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

  std::vector<StoredEntry> described() const {
    std::vector<StoredEntry> entries;
    const auto all = store_.entries();
    for (const auto& entry : *all) entries.push_back(describe(entry));
    mark_unreachable(entries);
    return entries;
  }

  // First what cannot be used or is too old; the store keeps the rest within the size, and what this leaves without the entry
  // before it goes, too. Nothing when others are at work here and `patient` is false.
  std::optional<Pruned> prune_now(const PruneLimits& limits, bool patient) const {
    Pruned pruned;
    std::vector<StoredEntry> left = described();
    spread_times(left);
    PruneLimits age = limits;
    age.size.reset();
    oci::ImageStore::Limits wanted;
    wanted.size = limits.size;
    wanted.dry_run = limits.dry_run;
    for (const auto& entry : left) {
      wanted.used[entry.manifest] = entry.needed_used;
      if (limits.used_after && entry.needed_used < *limits.used_after) wanted.unwanted.insert(entry.manifest);
    }
    for (const auto& entry : choose_to_go(left, age)) wanted.unwanted.insert(entry.manifest);
    while (true) {
      const std::vector<StoredEntry> before = described();
      const auto done = store_.prune(wanted, patient);
      if (!done) return std::nullopt;
      pruned.bytes = limits.dry_run ? done->bytes : pruned.bytes + done->bytes;
      if (limits.dry_run) pruned.entries.clear();
      std::set<oci::Digest> gone;
      for (const auto& entry : done->entries) gone.insert(entry.digest);
      std::vector<StoredEntry> stay;
      for (const auto& entry : before) (gone.contains(entry.manifest) ? pruned.entries : stay).push_back(entry);
      const std::vector<StoredEntry> more = choose_to_go(stay, {});
      if (more.empty()) break;
      for (const auto& entry : more) wanted.unwanted.insert(entry.manifest);
    }
    if (!limits.dry_run) prune_documents(limits, described().empty());
    return pruned;
  }

  void prune_documents(const PruneLimits& limits, bool all) const {
    const auto after = limits.created_after ? limits.created_after : limits.used_after;
    std::error_code ignored;
    for (const auto& file : std::filesystem::directory_iterator(documents(), ignored)) {
      struct stat status{};
      const bool old = after && stat(file.path().c_str(), &status) == 0 && status.st_mtim.tv_sec < *after;
      if (all || old) std::filesystem::remove(file.path(), ignored);
    }
  }

  StoredEntry describe(const oci::Descriptor& entry) const {
    StoredEntry told;
    told.name = oci::name_of(entry);
    told.manifest = entry.digest;
    told.created = store_.stored_at(entry);
    told.used = store_.used_at(entry);
    try {
      const oci::Manifest manifest = oci::parse_manifest(store_.read_blob(entry), entry.media_type);
      if (is_base_config(manifest)) {
        told.kind = StoredEntry::Kind::image;
        told.step = base_config_name(manifest);
      } else if (is_entry(manifest)) {
        if (told.name.starts_with(files_prefix)) told.kind = StoredEntry::Kind::files;
        const CachedLayer layer = read_entry(told.name, manifest);
        told.step = layer.step;
        told.before = layer.before;
      } else {
        told.kind = StoredEntry::Kind::image;
      }
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
