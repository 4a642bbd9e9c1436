// Capture: Changes become a layer.
//
// Changed files are read once. The tar is laid out in blocks of fixed size whose file contents are read straight into
// place by the FileReader; each block is hashed for the diff id, compressed on any core, hashed again for the digest and
// appended to the spool, in order, all stages at once, inside the byte budget. Bytes do not depend on the number of cores.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>

#include "engine/tree/tree.hpp"
#include "io/codec/block_compressor.hpp"
#include "io/file/read_plan.hpp"
#include "io/loop/runtime.hpp"
#include "oci/blob/spool.hpp"

namespace kiln::engine {

struct LayerSettings {
  io::CompressionSettings compression;
  // Set: every mtime in the layer later than this becomes this (SOURCE_DATE_EPOCH with rewriting, BuildKit's
  // rewrite-timestamp). --reproducible sets `fixed_mtime`: every mtime becomes it.
  std::optional<oci::FileTime> newest_mtime;
  std::optional<oci::FileTime> fixed_mtime;
};

struct LayerFacts {
  oci::Digest diff_id;
  oci::Digest digest;
  std::uint64_t size = 0;  // compressed
  std::uint64_t tar_size = 0;
  std::uint64_t files = 0;  // entries written
};

// Writes the layer for `changes` with metadata and contents from `tree` into `blob`, and completes it (or fails it and
// throws). Entries: whiteouts first in each directory, parents of every change are included with the tree's metadata,
// sorted by path; the first name of a link_id carries the content, later ones are hard links; a name whose other names
// are not in this layer stands as a file. The root itself is never written. `on_captured` is called on the loop thread
// as soon as no file will be read any more: from then on the disk may change.
// Errors: a file that vanished or shrank while it was read is Error(filesystem) naming it; one that grew is cut at the
// size in the tree, with a warning.
io::Task<LayerFacts> write_layer(io::Runtime& runtime, io::FileReader& reader, Tree tree, Changes changes, LayerSettings settings,
                                 oci::SpoolBlobPtr blob, std::function<void()> on_captured);

}  // namespace kiln::engine
