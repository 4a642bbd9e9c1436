// What layers hold, without the bytes of their files: kept in the cache, so that a COPY onto what an earlier build has left there
// needs to read none of those layers.
//
// An index is a layer itself: a tar in which regular files are empty and the attribute `trusted.kiln.content` tells the size, the
// number of the layer with the bytes where that is not the only one, and the path there where it is another. A file without it is
// whole: /etc/passwd and /etc/group, which --chown reads. One index is of a base image's whole tree, known by the digests of
// its layers' blobs; each layer that a step makes has one of its own, known by its digest: what an index says is true of exactly
// those bytes.
#pragma once

#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "engine/tree/tree.hpp"
#include "io/codec/decompress.hpp"
#include "oci/image/digest.hpp"
#include "oci/tar/reader.hpp"

namespace kiln::engine {

// Keys begin with this.
inline constexpr std::string_view files_prefix = "files-";
// Of the tree that these layers make, lowest first; of one layer by itself.
std::string tree_index_key(std::span<const oci::Digest> layers);
std::string layer_index_key(const oci::Digest& layer);

// An index before it is written with write_layer().
struct FileIndex {
  Tree tree;
  Changes changes;
};

// Paths whose bytes are in the index, with these.
using WholeFiles = std::map<std::string, std::string>;

// `layers`: where the contents of `tree` are. Errors: io::Error(internal) naming a file whose content is elsewhere.
FileIndex index_of_tree(const Tree& tree, std::span<const oci::SpoolBlobPtr> layers, const WholeFiles& whole);
// Of the one layer that is made of `changes`.
FileIndex index_of_layer(const Tree& tree, const Changes& changes, const WholeFiles& whole);

// The bytes of the entry that the archive is at. Errors: io::Error(integrity) for a large one, and one that is cut short.
std::string read_whole(oci::TarReader& archive, const oci::TarEntry& entry);

// Puts what the index in `archive` (a tar, not compressed) says onto `tree`; contents are in `layers`. Errors: io::Error(integrity)
// for what is no index of so many layers; those of the archive. Reads to the end, where a download's bytes are known to be right.
void apply_index(io::ByteSource& archive, Tree& tree, const std::vector<std::shared_ptr<const ContentLayer>>& layers);

}  // namespace kiln::engine
