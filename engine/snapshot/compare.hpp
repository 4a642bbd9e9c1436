// From candidates to changes: a path that may have changed is compared with the Tree.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "engine/rootfs/rootfs.hpp"
#include "engine/snapshot/disk_walk.hpp"
#include "engine/tree/tree.hpp"

namespace kiln::engine {

// Where the content of a candidate is, and where that of the same path before the RUN was, if it can still be read.
struct CompareSource {
  std::shared_ptr<const ContentDirectory> directory;         // holds the entries now
  std::function<Content(const std::string& path)> original;  // unknown content: cannot be compared, so it counts as changed
};

// Brings `tree` up to date with what the disk has at `candidates` and without `removed` (topmost paths), and gives what
// changed. Fields of a node change only where the disk differs from the node's stamp, so that what the disk could not hold
// (owners, devices) stays exact. A regular file whose metadata is what it was is compared by content and left out when
// equal.
io::Task<Changes> apply_candidates(io::Runtime& runtime, Tree& tree, std::vector<DiskEntry> candidates,
                                   std::vector<std::string> removed, CompareSource source);

}  // namespace kiln::engine
