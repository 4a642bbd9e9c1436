#include "engine/cache/layout_store.hpp"

#include <unistd.h>

#include <atomic>
#include <filesystem>

#include <fmt/format.h>

#include "engine/cache/entry.hpp"
#include "io/base/error.hpp"
#include "oci/output/layout.hpp"
#include "oci/output/read_layout.hpp"

namespace kiln::engine {

namespace {

namespace fs = std::filesystem;
using io::Task;

class LayoutStore final : public CacheStore {
 public:
  LayoutStore(io::Runtime& runtime, std::string directory) : runtime_(runtime), directory_(std::move(directory)) {}

  std::string host() const override { return {}; }

  Task<std::optional<CachedLayer>> find(std::string key) override {
    const auto work = [this, key] { return read(key); };
    std::optional<CachedLayer> layer = co_await io::offload(runtime_.waiting(), work);
    co_return layer;
  }

  Task<void> put(std::string key, CachedLayer entry, oci::SpoolBlobPtr blob, std::string) override {
    const auto work = [this, key, entry, blob] { write(key, entry, blob); };
    co_await io::offload(runtime_.waiting(), work);
  }

 private:
  std::string path_of(const std::string& key) const { return directory_ + ":" + key; }

  std::optional<CachedLayer> read(const std::string& key) const {
    const std::string path = path_of(key);
    if (!fs::exists(path + "/index.json")) return std::nullopt;
    const oci::Descriptor entry = oci::find_in_layout(path, "");
    CachedLayer layer = read_entry(key, oci::parse_manifest(oci::read_layout_blob(path, entry.digest), entry.media_type));
    layer.file = oci::layout_blob_path(path, layer.layer.digest);
    return layer;
  }

  void write(const std::string& key, const CachedLayer& entry, const oci::SpoolBlobPtr& blob) const {
    static std::atomic<unsigned> number = 0;
    const EntryImage made = make_entry(key, entry);
    oci::Image image;
    image.manifest = made.manifest;
    image.config_bytes = made.config;
    image.manifest_bytes = oci::serialize(made.manifest);
    image.manifest_digest = oci::Digest::of(io::as_bytes(image.manifest_bytes));
    image.platform = oci::host_platform();
    image.layers = {blob};
    const std::string temporary = fmt::format("{}.new-{}-{}", path_of(key), getpid(), ++number);
    oci::write_oci_layout(image, temporary, {});
    std::error_code error;
    fs::rename(temporary, path_of(key), error);
    if (!error) return;
    std::error_code ignored;
    if (fs::exists(path_of(key) + "/index.json", ignored)) {  // an expired entry, or another builder's
      fs::remove_all(path_of(key), ignored);
      fs::rename(temporary, path_of(key), error);
    }
    if (error) fs::remove_all(temporary, ignored);
  }

  io::Runtime& runtime_;
  std::string directory_;
};

}  // namespace

std::unique_ptr<CacheStore> open_layout_store(io::Runtime& runtime, const std::string& directory) {
  return std::make_unique<LayoutStore>(runtime, directory);
}

}  // namespace kiln::engine
