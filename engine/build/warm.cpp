#include "engine/build/warm.hpp"

#include <algorithm>
#include <memory>
#include <set>

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "engine/build/registries.hpp"
#include "engine/cache/index_store.hpp"
#include "engine/cache/layout_store.hpp"
#include "engine/rootfs/rootfs.hpp"
#include "io/base/error.hpp"
#include "io/loop/notify.hpp"
#include "io/loop/task_group.hpp"
#include "oci/image/config.hpp"
#include "oci/store/image_store.hpp"

namespace kiln::engine {

namespace {

using io::Task;
using Writer = oci::ImageStore::Writer;

class Warmer {
 public:
  Warmer(io::Runtime& runtime, const WarmRequest& request)
      : runtime_(runtime),
        request_(request),
        connections_(runtime, request.registries),
        store_(request.directory),
        indexes_(open_layout_store(runtime, request.directory)),
        reader_(io::make_file_reader(runtime)),
        fetched_changed_(runtime.executor()) {}

  Task<void> warm_or_tell(WarmImage image, WarmResult& result) {
    try {
      std::vector<oci::Descriptor> layers;
      co_await warm_one(image, result, layers);
      co_await leave_index(image, std::move(layers));
    } catch (const io::Error& error) {
      if (error.kind() == io::ErrorKind::cancelled) throw;
      result.error = error.message();
    }
  }

  Task<void> trim() {
    const auto work = [this] { store_.trim(request_.ttl, request_.limit); };
    if (request_.limit > 0) co_await io::offload(runtime_.waiting(), work);
  }

 private:
  Task<void> warm_one(WarmImage wanted, WarmResult& result, std::vector<oci::Descriptor>& layers) {
    const oci::PulledManifest pulled = co_await connections_.hub.pull_manifest(wanted.reference, wanted.platform);
    oci::Image image;
    image.manifest_bytes = pulled.manifest.bytes;
    image.manifest_digest = pulled.manifest.digest;
    image.manifest = oci::parse_manifest(pulled.manifest.bytes, pulled.manifest.media_type);
    result.digest = image.manifest_digest;
    layers = image.manifest.layers;
    const std::optional<oci::Descriptor> known = known_entry(wanted, image);
    const std::unique_ptr<Writer> writer = co_await open_writer();
    co_await fetch_layers(pulled, image.manifest, *writer, result);
    if (known && result.downloaded == 0) {
      store_.note_use(*known);
      co_return;
    }
    image.config_bytes = co_await pulled.registry->get_blob(pulled.repository, image.manifest.config);
    image.platform = oci::parse_config(image.config_bytes).platform;
    const auto publish = [&writer, &image, &wanted, &pulled] { writer->publish(image, wanted.reference.text(), pulled.index); };
    co_await io::offload(runtime_.waiting(), publish);
  }

  // What is in the image: builds that only COPY onto it read this instead of its layers (base_files.hpp). They can do without.
  Task<void> leave_index(WarmImage image, std::vector<oci::Descriptor> layers) {
    std::vector<oci::Digest> digests;
    for (const auto& layer : layers) digests.push_back(layer.digest);
    const std::string key = tree_index_key(digests);
    try {
      const bool there = co_await has_index(*indexes_, key);
      if (there) co_return;
      std::vector<oci::SpoolBlobPtr> blobs;
      std::vector<LayerInput> inputs;
      for (const auto& layer : layers) {
        blobs.push_back(stored_blob(layer));
        inputs.push_back({blobs.back(), nullptr});
      }
      Tree tree = co_await index_layers(runtime_, Tree(), std::move(inputs));
      WholeFiles whole = co_await read_user_files(runtime_, tree);
      co_await write_tree_index(runtime_, *reader_, *indexes_, spool_directory(), key, std::move(blobs), std::move(tree),
                                std::move(whole));
    } catch (const io::Error& error) {
      if (error.kind() == io::ErrorKind::cancelled) throw;
      spdlog::warn("what is in {} is not left in {}: {}", image.reference.familiar(), store_.directory(), error.message());
    }
  }

  oci::SpoolBlobPtr stored_blob(const oci::Descriptor& layer) {
    const oci::BlobFilePtr file = store_.open_blob(layer);
    if (!file) throw io::Error(io::ErrorKind::filesystem, fmt::format("{} has been deleted meanwhile", layer.digest.text()));
    auto blob = std::make_shared<oci::SpoolBlob>(runtime_.executor(), spool_directory());
    blob->adopt(std::move(file->fd), layer.digest, layer.size);
    return blob;
  }

  // Of unnamed files of the directory itself: a killed warmer leaves nothing of them.
  std::string spool_directory() const { return store_.directory() + "/blobs/sha256"; }

  // The entry that is there already, if its documents are.
  std::optional<oci::Descriptor> known_entry(const WarmImage& wanted, const oci::Image& image) const {
    if (request_.force) return std::nullopt;
    std::shared_ptr<const std::vector<oci::Descriptor>> entries;
    try {
      entries = store_.entries();
    } catch (const io::Error& error) {  // the index is damaged; publishing begins a new one
      spdlog::debug("{}", error.message());
      return std::nullopt;
    }
    const auto found = std::ranges::find_if(*entries, [&](const oci::Descriptor& entry) {
      return oci::name_of(entry) == wanted.reference.text() && entry.digest == image.manifest_digest;
    });
    if (found == entries->end()) return std::nullopt;
    return store_.open_blob(*found) && store_.open_blob(image.manifest.config) ? std::optional(*found) : std::nullopt;
  }

  Task<std::unique_ptr<Writer>> open_writer() {
    const auto open = [this] { return std::make_unique<Writer>(store_); };
    std::unique_ptr<Writer> writer = co_await io::offload(runtime_.waiting(), open);
    co_return writer;
  }

  Task<void> fetch_layers(const oci::PulledManifest& pulled, const oci::Manifest& manifest, Writer& writer, WarmResult& result) {
    io::TaskGroup group(runtime_.executor());
    std::set<oci::Digest> seen;
    for (const auto& layer : manifest.layers) {
      if (seen.insert(layer.digest).second) group.spawn(fetch_layer(pulled, layer, writer, result));
    }
    co_await group.join();
  }

  // Images of one run share their layers: each is downloaded once.
  Task<void> fetch_layer(const oci::PulledManifest& pulled, oci::Descriptor layer, Writer& writer, WarmResult& result) {
    while (fetching_.contains(layer.digest)) co_await fetched_changed_.wait();
    if (fetched_.contains(layer.digest)) {
      ++result.there;
      co_return;
    }
    fetching_.insert(layer.digest);
    std::exception_ptr failure;
    try {
      const bool there = co_await is_there(layer);
      if (!there) co_await download(pulled, layer, writer);
      ++(there ? result.there : result.downloaded);
      fetched_.insert(layer.digest);
    } catch (...) {
      failure = std::current_exception();
    }
    fetching_.erase(layer.digest);
    fetched_changed_.notify_all();
    if (failure) std::rethrow_exception(failure);
  }

  Task<bool> is_there(oci::Descriptor layer) {
    const oci::BlobFilePtr file = request_.force ? nullptr : store_.open_blob(layer);
    if (!file) co_return false;
    std::optional<io::Error> damage;
    try {
      const auto verify = [file] { file->verify(); };
      co_await io::offload(runtime_.cpu(), verify);
    } catch (const io::Error& error) {
      damage = error;
    }
    if (!damage) co_return true;
    spdlog::warn("{}; downloading it", damage->message());
    co_return false;
  }

  Task<void> download(const oci::PulledManifest& pulled, oci::Descriptor layer, Writer& writer) {
    auto blob = std::make_shared<oci::SpoolBlob>(runtime_.executor(), spool_directory());
    co_await pulled.registry->download(pulled.repository, layer, blob, {});
    const auto add = [&writer, layer, blob] { writer.add(layer, *blob, true); };
    co_await io::offload(runtime_.waiting(), add);
  }

  io::Runtime& runtime_;
  const WarmRequest& request_;
  RegistryConnections connections_;
  oci::ImageStore store_;
  std::unique_ptr<CacheStore> indexes_;  // in the same directory
  std::unique_ptr<io::FileReader> reader_;
  std::set<oci::Digest> fetching_, fetched_;
  io::Notify fetched_changed_;
};

}  // namespace

Task<std::vector<WarmResult>> warm(io::Runtime& runtime, WarmRequest request) {
  Warmer warmer(runtime, request);
  std::vector<WarmResult> results(request.images.size());
  io::TaskGroup group(runtime.executor());
  for (std::size_t i = 0; i < results.size(); ++i) group.spawn(warmer.warm_or_tell(request.images[i], results[i]));
  co_await group.join();
  co_await warmer.trim();
  co_return results;
}

}  // namespace kiln::engine
