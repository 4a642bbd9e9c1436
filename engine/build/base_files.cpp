#include "engine/build/base_files.hpp"

#include <spdlog/spdlog.h>

#include "engine/cache/index_store.hpp"
#include "engine/cache/layout_store.hpp"
#include "io/base/error.hpp"

namespace kiln::engine {

using io::Task;

Task<oci::SpoolBlobPtr> find_base_index(Session& session, std::vector<ImageLayerPtr> layers) {
  if (!session.image_store || layers.empty()) co_return nullptr;
  const std::string& directory = session.request.cache.directory;
  try {
    const std::unique_ptr<CacheStore> store = open_layout_store(session.runtime, directory);
    std::optional<CachedLayer> found = co_await store->find(tree_index_key(digests_of(layers)));
    if (!found) co_return nullptr;
    oci::SpoolBlobPtr index = co_await fetch_index(session.runtime, std::move(*found), session.spool_directory, {});
    co_return index;
  } catch (const io::Error& error) {
    if (error.kind() == io::ErrorKind::cancelled) throw;
    spdlog::warn("what {} tells of a base image is not used: {}", directory, error.message());
  }
  co_return nullptr;
}

Task<std::optional<Tree>> find_base_files(Session& session, std::vector<ImageLayerPtr> layers) {
  const oci::SpoolBlobPtr index = co_await find_base_index(session, layers);
  std::optional<Tree> tree;
  if (!index) co_return tree;
  try {
    const std::vector<oci::SpoolBlobPtr> indexes(1, index);
    const std::vector<IndexContents> contents(1, contents_in(blobs_of(session, layers)));
    tree = co_await read_indexes(session.runtime, indexes, contents);
  } catch (const io::Error& error) {
    if (error.kind() == io::ErrorKind::cancelled) throw;
    spdlog::warn("what {} tells of a base image is not used: {}", session.request.cache.directory, error.message());
  }
  co_return tree;
}

void remember_base_files(Session& session, BaseFiles files) {
  if (session.image_store && session.request.cache.keep_base_images) session.base_files.push_back(std::move(files));
}

Task<void> keep_base_files(Session& session) {
  const std::string& directory = session.request.cache.directory;
  for (BaseFiles& files : std::exchange(session.base_files, {})) {
    try {
      const std::unique_ptr<CacheStore> store = open_layout_store(session.runtime, directory);
      co_await write_tree_index(session.runtime, *session.reader, *store, session.spool_directory,
                                tree_index_key(digests_of(files.layers)), blobs_of(session, files.layers), std::move(files.tree),
                                std::move(files.whole));
    } catch (const io::Error& error) {
      if (error.kind() == io::ErrorKind::cancelled) throw;
      spdlog::warn("what is in a base image is not left in {}: {}", directory, error.message());
    }
  }
}

}  // namespace kiln::engine
