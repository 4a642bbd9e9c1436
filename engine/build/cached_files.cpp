// The layer cache and what is in its layers (file_index.hpp).
#include <algorithm>

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "engine/build/layer_cache.hpp"
#include "engine/rootfs/layer_reader.hpp"
#include "engine/rootfs/layer_stream.hpp"
#include "io/base/error.hpp"

namespace kiln::engine {

using io::Task;

namespace {

std::vector<oci::Digest> digests_of(std::span<const ImageLayerPtr> layers) {
  std::vector<oci::Digest> digests;
  for (const auto& layer : layers) digests.push_back(layer->descriptor.digest);
  return digests;
}

constexpr std::size_t largest_index = 250'000;  // entries: about 100 MB while it is written

using Contents = std::vector<std::shared_ptr<const ContentLayer>>;

Contents contents_of(Session& session, std::span<const ImageLayerPtr> layers) {
  Contents contents;
  for (const auto& layer : layers) contents.push_back(std::make_shared<const ContentLayer>(ContentLayer{blob_of(session, layer)}));
  return contents;
}

}  // namespace

// The index with this key, if there is one: bytes that have the digest that its entry says.
Task<void> LayerCache::fetch_index(std::string key, oci::SpoolBlobPtr& index) {
  std::optional<CachedLayer> found;
  co_await look_up(key, found);
  if (!found) co_return;
  auto blob = std::make_shared<oci::SpoolBlob>(session_.runtime.executor(), session_.spool_directory);
  if (found->file) {
    const auto verify = [file = found->file] { file->verify(); };
    co_await io::offload(session_.runtime.cpu(), verify);
    blob->adopt(std::move(found->file->fd), found->layer.digest, found->layer.size);
  } else {
    const oci::OnBytes on_bytes = [this](std::uint64_t bytes) { session_.bytes_pulled += bytes; };
    co_await found->registry->download(found->repository, found->layer, blob, on_bytes);
  }
  index = std::move(blob);
}

Task<std::optional<Tree>> LayerCache::read_files(const std::vector<ImageLayerPtr>& layers, std::size_t base) {
  const std::span<const ImageLayerPtr> all(layers);
  std::vector<std::string> keys;
  std::vector<Contents> contents;
  if (base > 0) {
    keys.push_back(tree_index_key(digests_of(all.first(base))));
    contents.push_back(contents_of(session_, all.first(base)));
  }
  for (std::size_t i = base; i < layers.size(); ++i) {
    keys.push_back(layer_index_key(layers[i]->descriptor.digest));
    contents.push_back(contents_of(session_, all.subspan(i, 1)));
  }
  std::vector<oci::SpoolBlobPtr> indexes(keys.size());
  io::TaskGroup group(session_.runtime.executor());
  for (std::size_t i = 0; i < keys.size(); ++i) group.spawn(fetch_index(keys[i], indexes[i]));
  co_await group.join();
  if (std::ranges::find(indexes, nullptr) != indexes.end()) co_return std::nullopt;

  Tree tree;
  const auto work = [&](std::atomic<bool>& stop) {
    for (std::size_t i = 0; i < indexes.size(); ++i) {
      const std::unique_ptr<io::ByteSource> archive = open_layer(indexes[i]->follow(&stop), &stop);
      apply_index(*archive, tree, contents[i]);
    }
  };
  co_await run_stoppable(session_.runtime, work);
  co_return tree;
}

Task<std::optional<Tree>> LayerCache::find_files(std::vector<ImageLayerPtr> layers, std::size_t base) {
  std::optional<Tree> tree;
  if (broken_ || !session_.request.cache.read) co_return tree;
  try {
    tree = co_await read_files(layers, base);
  } catch (const io::Error& error) {
    if (error.kind() == io::ErrorKind::cancelled) throw;
    spdlog::warn("what the layer cache tells of files is not used: {}", error.message());
  }
  co_return tree;
}

void LayerCache::remember_files(std::vector<ImageLayerPtr> layers, Tree tree, WholeFiles whole) {
  if (!session_.request.cache.write || stopped_ || broken_) return;
  writes_.spawn(write_tree_index(std::move(layers), std::move(tree), std::move(whole)));
}

void LayerCache::remember_files(NewEntry entry, ImageLayerPtr layer, Tree tree, Changes changes, WholeFiles whole) {
  if (!session_.request.cache.write || stopped_ || broken_) return;
  writes_.spawn(write_layer_index(std::move(entry), std::move(layer), std::move(tree), std::move(changes), std::move(whole)));
}

Task<void> LayerCache::write_tree_index(std::vector<ImageLayerPtr> layers, Tree tree, WholeFiles whole) {
  const std::string key = tree_index_key(digests_of(layers));
  try {
    const std::optional<CachedLayer> known = co_await store_->find(key);
    if (known || tree.size() > largest_index) co_return;
    std::vector<oci::SpoolBlobPtr> blobs;
    for (const auto& layer : layers) blobs.push_back(blob_of(session_, layer));
    const auto work = [&] { return index_of_tree(tree, blobs, whole); };
    FileIndex index = co_await io::offload(session_.runtime.cpu(), work);
    co_await write_index(key, std::move(index), {}, "", "(what is in the base image)");
  } catch (const io::Error& error) {
    if (error.kind() == io::ErrorKind::cancelled) throw;
    spdlog::warn("what is in the base image is not left in the layer cache: {}", error.message());
  }
}

Task<void> LayerCache::write_layer_index(NewEntry entry, ImageLayerPtr layer, Tree tree, Changes changes, WholeFiles whole) {
  try {
    if (changes.size() > largest_index) co_return;
    const auto work = [&] { return index_of_layer(tree, changes, whole); };
    FileIndex index = co_await io::offload(session_.runtime.cpu(), work);
    co_await layer->blob->wait_complete();
    co_await write_index(layer_index_key(layer->blob->digest()), std::move(index), layer_settings(session_), entry.key,
                         "(what is in) " + entry.step);
  } catch (const io::Error& error) {
    if (error.kind() == io::ErrorKind::cancelled) throw;
    spdlog::warn("what is in a layer is not left in the layer cache: {}", error.message());
  }
}

Task<void> LayerCache::write_index(std::string key, FileIndex index, LayerSettings settings, std::string before, std::string text) {
  auto blob = std::make_shared<oci::SpoolBlob>(session_.runtime.executor(), session_.spool_directory);
  settings.compression = {io::Compression::zstd};
  const LayerFacts facts = co_await write_layer(session_.runtime, *session_.reader, std::move(index.tree), std::move(index.changes),
                                                settings, blob, [] {});
  CachedLayer entry;
  entry.layer.media_type = oci::layer_media_type(oci::ImageFormat::oci, settings.compression.compression);
  entry.layer.digest = facts.digest;
  entry.layer.size = facts.size;
  entry.diff_id = facts.diff_id;
  entry.created = seconds_now();
  entry.step = text.substr(0, longest_step);
  entry.before = std::move(before);
  co_await store_->put(std::move(key), std::move(entry), std::move(blob), "");
}

}  // namespace kiln::engine
