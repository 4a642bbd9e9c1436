// Indexes of layers (file_index.hpp) in a store: fetched, put on top of one another, and written.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "engine/cache/file_index.hpp"
#include "engine/cache/store.hpp"
#include "engine/capture/layer_writer.hpp"

namespace kiln::engine {

// Trees of more entries get no index: about 100 MB of memory while it is written.
inline constexpr std::size_t largest_index = 250'000;

// Where the bytes of files are that an index tells of: blobs that are downloaded when somebody wants a file.
using IndexContents = std::vector<std::shared_ptr<const ContentLayer>>;
IndexContents contents_in(const std::vector<oci::SpoolBlobPtr>& layers);

// The bytes of the index that the store has an entry for; verified. Errors: io::Error(integrity), those of the store.
io::Task<oci::SpoolBlobPtr> fetch_index(io::Runtime& runtime, CachedLayer entry, std::string spool_directory,
                                        oci::OnBytes on_bytes);

// The tree that the indexes make, lowest first; contents[i] is what indexes[i] tells of. Errors: as apply_index().
io::Task<Tree> read_indexes(io::Runtime& runtime, std::vector<oci::SpoolBlobPtr> indexes, std::vector<IndexContents> contents);

// `step` and `before`: see CachedLayer.
struct NewIndex {
  std::string key;
  FileIndex files;
  LayerSettings settings;
  std::string step, before;
};
io::Task<void> write_index(io::Runtime& runtime, io::FileReader& reader, CacheStore& store, std::string spool_directory,
                           NewIndex index);
// Whether the store has it whole.
io::Task<bool> has_index(CacheStore& store, std::string key);
// The index of what `layers` make, unless the store has it or the tree is too large.
io::Task<void> write_tree_index(io::Runtime& runtime, io::FileReader& reader, CacheStore& store, std::string spool_directory,
                                std::string key, std::vector<oci::SpoolBlobPtr> layers, Tree tree, WholeFiles whole);

// /etc/passwd and /etc/group of a tree whose contents are in layers.
io::Task<WholeFiles> read_user_files(io::Runtime& runtime, Tree tree);

}  // namespace kiln::engine
