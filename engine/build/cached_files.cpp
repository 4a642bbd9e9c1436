// The layer cache and what is in its layers (file_index.hpp).
#include <algorithm>

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "engine/build/base_files.hpp"
#include "engine/build/layer_cache.hpp"
#include "engine/cache/index_store.hpp"
#include "io/base/error.hpp"

namespace kiln::engine {

using io::Task;

// The index with this key, if there is one.
Task<void> LayerCache::find_index(std::string key, oci::SpoolBlobPtr& index) {
  std::optional<CachedLayer> found;
  co_await look_up(key, found);
  if (!found) co_return;
  const oci::OnBytes on_bytes = [this](std::uint64_t bytes) { session_.bytes_pulled += bytes; };
  index = co_await fetch_index(session_.runtime, std::move(*found), session_.spool_directory, on_bytes);
}

// The base's: it may be on the disk.
Task<void> LayerCache::find_index_of_base(std::vector<ImageLayerPtr> base, oci::SpoolBlobPtr& index) {
  index = co_await find_base_index(session_, base);
  if (!index) co_await find_index(tree_index_key(digests_of(base)), index);
}

Task<std::optional<Tree>> LayerCache::read_files(const std::vector<ImageLayerPtr>& layers, std::size_t base) {
  std::vector<IndexContents> contents;
  std::vector<oci::SpoolBlobPtr> indexes(layers.size() - base + (base > 0 ? 1 : 0));
  io::TaskGroup group(session_.runtime.executor());
  if (base > 0) {
    const std::vector<ImageLayerPtr> lowest(layers.begin(), layers.begin() + static_cast<std::ptrdiff_t>(base));
    contents.push_back(contents_in(blobs_of(session_, lowest)));
    group.spawn(find_index_of_base(lowest, indexes.front()));
  }
  for (std::size_t i = base; i < layers.size(); ++i) {
    group.spawn(find_index(layer_index_key(layers[i]->descriptor.digest), indexes[contents.size()]));
    contents.push_back(contents_in({blob_of(session_, layers[i])}));
  }
  co_await group.join();
  if (std::ranges::find(indexes, nullptr) != indexes.end()) co_return std::nullopt;
  Tree tree = co_await read_indexes(session_.runtime, std::move(indexes), std::move(contents));
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
  if (!writes() || broken_) return;
  writes_.spawn(write_base_index(std::move(layers), std::move(tree), std::move(whole)));
}

void LayerCache::remember_files(NewEntry entry, ImageLayerPtr layer, Tree tree, Changes changes, WholeFiles whole) {
  if (!writes() || broken_) return;
  writes_.spawn(write_layer_index(std::move(entry), std::move(layer), std::move(tree), std::move(changes), std::move(whole)));
}

Task<void> LayerCache::write_base_index(std::vector<ImageLayerPtr> layers, Tree tree, WholeFiles whole) {
  try {
    co_await write_tree_index(session_.runtime, *session_.reader, *store_, session_.spool_directory,
                              tree_index_key(digests_of(layers)), blobs_of(session_, layers), std::move(tree), std::move(whole));
  } catch (const io::Error& error) {
    tell_unwritten("what is in the base image is not left in the layer cache", error);
  }
}

Task<void> LayerCache::write_layer_index(NewEntry entry, ImageLayerPtr layer, Tree tree, Changes changes, WholeFiles whole) {
  try {
    if (changes.size() > largest_index) co_return;
    const auto work = [&] { return index_of_layer(tree, changes, whole); };
    FileIndex index = co_await io::offload(session_.runtime.cpu(), work);
    co_await layer->blob->wait_complete();
    const std::string step = ("(what is in) " + entry.step).substr(0, longest_step);
    NewIndex written{layer_index_key(layer->blob->digest()), std::move(index), layer_settings(session_), step, entry.key};
    co_await write_index(session_.runtime, *session_.reader, *store_, session_.spool_directory, std::move(written));
  } catch (const io::Error& error) {
    tell_unwritten("what is in a layer is not left in the layer cache", error);
  }
}

}  // namespace kiln::engine
