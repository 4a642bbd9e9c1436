// Reads a directory tree of a context from disk.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "engine/context/ignore.hpp"
#include "engine/context/known_files.hpp"
#include "engine/tree/tree.hpp"

namespace kiln::engine {

// A file that has other names, too.
struct ScannedLink {
  std::string name;                                  // of the child
  std::pair<std::uint64_t, std::uint64_t> identity;  // device, inode
};

struct NamedNode {
  std::string name;
  Node node;
};

struct ScannedDirectory {
  std::string path;
  // Sorted by name. Contents are not set. A regular file has a stamp where inode and ctime can be relied on.
  std::vector<NamedNode> children;
  std::vector<ScannedLink> links;
};

struct ScannedTree {
  std::vector<ScannedDirectory> directories;           // in no order
  std::vector<std::pair<std::string, Node>> left_out;  // ignored directories: each is there if something below it is
};

struct ContextRoot {
  int directory = -1;  // open
  const IgnoreMatcher* ignore = nullptr;
  std::optional<std::uint32_t> file_system;  // file_system_id() of `directory`
  const KnownFiles* known = nullptr;         // may be null
};

// `path` (cleaned, relative) itself, the directories above it, and everything below. Ends at the first component that is a
// symlink, and gives that. Empty if there is no such path. Uses `threads` threads besides its own. Attributes of files that are
// known to have none are not looked for.
// Errors: io::Error(filesystem) naming the path that cannot be read.
ScannedTree scan_context(const ContextRoot& root, const std::string& path, unsigned threads);

}  // namespace kiln::engine
