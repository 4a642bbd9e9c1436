// Moving trees of files by renames, around what must stay.
#pragma once

#include <functional>
#include <string>

#include "engine/rootfs/disk_writer.hpp"

namespace kiln::engine {

struct TreeMove {
  // What is in the way at the target is replaced; else it stays, and so does what would have taken its place.
  bool replace = true;
  // An entry that was renamed as a whole: its path, and the directory it is in now.
  std::function<void(const std::string& path, int directory)> moved;
  // A directory that was there, or was made anew, and whose entries were moved one by one. Called after them.
  std::function<void(const std::string& path)> merged;
};

// Moves everything below `from` that is not protected to below `to` (same file system): whole directories by one rename, those
// that hold something protected, or that are at the target already, entry by entry. What cannot be renamed as a whole (a
// directory of an overlay's lower layer: EXDEV) is made anew and its entries moved. Errors: io::Error(filesystem) naming the path.
void move_tree(int from, int to, const ProtectedPaths& keep, const TreeMove& move);

// Deletes everything below `root` that is not protected.
void empty_root(int root, const ProtectedPaths& keep);

}  // namespace kiln::engine
