// Mount points that a root file system lacks: made before a RUN, taken away after it, and nobody can tell afterwards.
#pragma once

#include <string>
#include <vector>

#include "engine/rootfs/rootfs.hpp"
#include "engine/tree/tree.hpp"

namespace kiln::engine {

// Puts a directory's times back when it goes out of scope: whatever is done in between does not show in its mtime.
class KeepTimes {
 public:
  explicit KeepTimes(int directory);
  ~KeepTimes();
  KeepTimes(const KeepTimes&) = delete;
  KeepTimes& operator=(const KeepTimes&) = delete;

 private:
  int directory_;
  timespec times_[2];
};

class MountPoints {
 public:
  // `root`: an open directory, borrowed: the top of an overlay, where directories that `tree` has are made like those below;
  // a plain root; or "/".
  MountPoints(int root, const Tree& tree, const ProtectedPaths& keep) : root_(root), tree_(tree), entries_(keep) {}

  // Makes `path` and what is missing on the way. Errors: io::Error(filesystem) naming the path.
  void make(const std::string& path, bool directory);
  // Makes only the directory that `path` is in.
  void make_parent(const std::string& path);
  // Makes `path`, a directory, and what is missing on the way like `made`, to stay: no mount point. Nothing where something else
  // is in the way.
  void make_lasting(const std::string& path, const Node& made);
  // Removes what was made and is still empty, last first. Does not throw.
  void clear() noexcept;

 private:
  io::UniqueFd enter(const io::UniqueFd& parent, const std::string& path, const Node* lasting = nullptr);

  int root_;
  const Tree& tree_;
  EntryWriter entries_;
  std::vector<std::string> made_;
};

}  // namespace kiln::engine
