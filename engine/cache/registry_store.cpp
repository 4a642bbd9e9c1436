#include "engine/cache/registry_store.hpp"

#include "engine/cache/entry.hpp"
#include "io/base/error.hpp"

namespace kiln::engine {

namespace {

using io::Task;

class RegistryStore final : public CacheStore {
 public:
  RegistryStore(oci::RegistryHub& hub, const oci::Reference& repository)
      : reader_(hub.for_pull(repository.registry)),
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
    const EntryImage image = make_entry(key, entry);
    co_await writer_.upload_bytes(repository_, image.config, image.manifest.config.digest);
    oci::RawManifest raw;
    raw.bytes = oci::serialize(image.manifest);
    raw.media_type = oci::media_type::oci_manifest;
    raw.digest = oci::Digest::of(io::as_bytes(raw.bytes));
    co_await writer_.put_manifest(repository_, key, raw);
  }

 private:
  oci::Registry& reader_;
  oci::Registry& writer_;
  std::string repository_;
};

}  // namespace

std::unique_ptr<CacheStore> open_registry_store(oci::RegistryHub& hub, const oci::Reference& repository) {
  return std::make_unique<RegistryStore>(hub, repository);
}

}  // namespace kiln::engine
