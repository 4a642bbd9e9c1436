// Emptying "/" around what must stay.
#pragma once

#include "engine/rootfs/disk_writer.hpp"

namespace kiln::engine {

// Moves everything below `from` that is not protected to below `to` (same file system): whole directories by one rename,
// those that hold something protected entry by entry. What cannot be renamed as a whole (a directory of an overlay's lower
// layer: EXDEV) is made anew and its entries moved.
void move_tree_aside(int from, int to, const ProtectedPaths& keep);

// Deletes everything below `root` that is not protected.
void empty_root(int root, const ProtectedPaths& keep);

}  // namespace kiln::engine
