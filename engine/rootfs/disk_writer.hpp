// Files below a directory descriptor, made as a Tree wants them: types, owners, modes, xattrs, times.
//
// Knows the directories: opens each one once, makes what is missing on the way, and gives them their metadata at the end.
// Single entries are EntryWriter's. For one thread.
#pragma once

#include <memory>
#include <set>
#include <string>
#include <unordered_map>

#include "engine/rootfs/entry_writer.hpp"
#include "engine/rootfs/staged_files.hpp"
#include "io/base/fd.hpp"

namespace kiln::engine {

class DiskWriter {
 public:
  // `root` and `protected_paths` are borrowed.
  DiskWriter(int root, const ProtectedPaths& protected_paths);

  // Makes `path` as `node` says and sets the node's stamp. Directories get their times by finish_directories().
  void put(const std::string& path, Node& node, const WriteContent& content);
  // The same for a regular file that is complete but for its place.
  void adopt(const std::string& path, Node& node, const StagedFile& file);
  void link(const std::string& path, const std::string& target, Node& node);
  void remove(const std::string& path);

  // For a caller that writes an entry itself: the directory that `path` is in, made where it is missing.
  DirectoryHandle parent_directory(const std::string& path);
  // Must a file or link at `path` stay out: protected, or a directory with something protected in it?
  bool is_protected(const std::string& path) const { return protected_.covers(path) || protected_.below(path); }
  EntryWriter& entries() noexcept { return entries_; }

  // Gives the directories that were made or changed below `root` their final owner, mode, xattrs and times, and their
  // stamps in `tree`; deepest first.
  void finish_directories(Tree& tree);

 private:
  DirectoryHandle open_directory(const std::string& path);
  void make_directory(const std::string& path, const Node& node);
  void forget_below(const std::string& path);

  int root_;
  const ProtectedPaths& protected_;
  EntryWriter entries_;
  std::unordered_map<std::string, DirectoryHandle> directories_;  // open directories by path
  std::set<std::string> touched_;                                 // directories that need finishing
  std::string last_path_;                                         // the directory that was asked for last ...
  DirectoryHandle last_;                                          // ... null: none
};

}  // namespace kiln::engine
