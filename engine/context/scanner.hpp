// Reads a directory tree of a context from disk.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "engine/context/ignore.hpp"
#include "engine/tree/tree.hpp"

namespace kiln::engine {

struct ScannedPath {
  std::string path;
  Node node;                                         // without content
  std::pair<std::uint64_t, std::uint64_t> identity;  // device, inode
  bool linked = false;                               // has more than one name
  bool left_out = false;                             // a directory that is ignored: it is there if something below it is
};

struct ContextRoot {
  int directory = -1;  // open
  std::string path;    // of the same: extended attributes are read by name, there is no call relative to a descriptor
  const IgnoreMatcher* ignore = nullptr;
};

// `path` (cleaned, relative) itself, the directories above it, and everything below, in no order. Ends at the first
// component that is a symlink, and gives that. Empty if there is no such path. Uses `threads` threads besides its own.
// Errors: io::Error(filesystem) naming the path that cannot be read.
std::vector<ScannedPath> scan_context(const ContextRoot& root, const std::string& path, unsigned threads);

}  // namespace kiln::engine
