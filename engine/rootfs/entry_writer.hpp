// One file, link or device put on disk below an open directory, as its node wants it.
//
// What the process may not do (foreign owners without CHOWN, devices without MKNOD, privileged xattrs) is left out with one
// warning a kind: the Tree has the exact values, and the stamp says what the disk has. An existing entry is unlinked before a
// new one is created; no symlink is followed. Any number of threads may use one EntryWriter.
#pragma once

#include <sys/types.h>
#include <unistd.h>

#include <functional>
#include <mutex>
#include <set>
#include <string>

#include "engine/rootfs/protected_paths.hpp"
#include "engine/tree/tree.hpp"

struct stat;

namespace kiln::engine {

// An io::Error(filesystem) with what errno says of `path`, which is in the root file system.
[[noreturn]] void fail_in_root(const std::string& doing, const std::string& path);

DiskStamp stamp_of(const struct stat& status);

using WriteContent = std::function<void(int file)>;

class EntryWriter {
 public:
  // `protected_paths` is borrowed.
  explicit EntryWriter(const ProtectedPaths& protected_paths) : protected_(protected_paths) {}

  // Makes `path`, which is not a directory, below `parent`, the descriptor of the directory that it is in, and sets the node's
  // stamp. True when something else was there and had to go. Errors: io::Error(filesystem) naming the path.
  bool put(int parent, const std::string& path, Node& node, const WriteContent& content);

  // The same for a regular file, under another name in `parent` than it will have in the end.
  bool put_file(int parent, const std::string& name, const std::string& path, Node& node, const WriteContent& content);

  // Owner, mode, xattrs and times of an open directory, and its stamp.
  DiskStamp finish_directory(int directory, const std::string& path, const Node& node);

 private:
  bool make_special(int parent, const std::string& name, const std::string& path, Node& node);
  bool try_special(int parent, const std::string& name, const std::string& path, const Node& node);
  void set_owner(int fd, const Node& node);
  void set_xattrs(int fd, const Node& node);
  void warn_once(const char* kind, const std::string& what, int error);

  const ProtectedPaths& protected_;
  const uid_t own_uid_ = geteuid();  // of what is made
  const gid_t own_gid_ = getegid();
  std::mutex mutex_;
  std::set<std::string> warned_;  // guarded by mutex_
};

}  // namespace kiln::engine
