// Files below a directory descriptor, made as a Tree wants them: types, owners, modes, xattrs, times.
//
// What the process may not do (foreign owners without CHOWN, devices without MKNOD, privileged xattrs) is left out with one
// warning a kind: the Tree has the exact values, and the stamp says what the disk has. Existing files are unlinked before
// a new one is created; no symlink is followed. For one thread.
#pragma once

#include <functional>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>

#include "engine/tree/tree.hpp"
#include "io/base/fd.hpp"

struct stat;

namespace kiln::engine {

DiskStamp stamp_of(const struct stat& status);

// Paths (relative, cleaned) that must not be touched, and whether something below a path is one.
class ProtectedPaths {
 public:
  ProtectedPaths() = default;
  explicit ProtectedPaths(const std::set<std::string>& absolute);
  bool covers(std::string_view path) const;  // protected or below one
  bool below(std::string_view path) const;   // something below it is protected
  bool empty() const { return paths_.empty(); }

 private:
  std::set<std::string, std::less<>> paths_;
};

class DiskWriter {
 public:
  // `root` is borrowed. `fresh`: the directory was empty, so nothing needs to be looked for before it is replaced.
  DiskWriter(int root, const ProtectedPaths& protected_paths);

  using WriteContent = std::function<void(int file)>;
  // Makes `path` as `node` says and sets the node's stamp. Directories get their times by finish_directories().
  void put(const std::string& path, Node& node, const WriteContent& content);
  void link(const std::string& path, const std::string& target, Node& node);
  void remove(const std::string& path);

  // Gives the directories that were made or changed below `root` their final owner, mode, xattrs and times, and their
  // stamps in `tree`; deepest first.
  void finish_directories(Tree& tree);

 private:
  int parent_of_path(const std::string& path, std::string& name);
  int open_directory(const std::string& path);
  void make_directory(const std::string& path, const Node& node);
  void make_file(int parent, const std::string& name, const std::string& path, Node& node, const WriteContent& content);
  void make_special(int parent, const std::string& name, Node& node);
  void set_owner(int fd, const Node& node);
  void set_xattrs(int fd, const Node& node);
  void warn_once(const char* kind, const std::string& what, int error);
  void forget_below(const std::string& path);

  int root_;
  const ProtectedPaths& protected_;
  std::unordered_map<std::string, io::UniqueFd> directories_;  // open directories by path
  std::set<std::string> touched_;                              // directories that need finishing
  std::set<std::string> warned_;
};

// Removes `name` below `parent` with everything in it, but for what `keep` covers; true when it is gone.
bool remove_recursively(int parent, const std::string& name, const std::string& path, const ProtectedPaths& keep);

}  // namespace kiln::engine
