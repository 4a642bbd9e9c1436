// Walking a root file system on all cores: names by getdents64, one stat each, directories shared out between threads.
// Nothing is allocated for an entry; what a visitor wants to keep of one it copies.
#pragma once

#include <sys/stat.h>

#include <iterator>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "engine/rootfs/protected_paths.hpp"
#include "engine/tree/tree.hpp"
#include "io/file/directory_names.hpp"
#include "io/loop/runtime.hpp"

namespace kiln::engine {

// What is on disk at a path, for entries that are kept.
struct DiskEntry {
  std::string path;
  DiskStamp stamp;
  std::uint64_t device = 0;  // of the file system
  std::uint64_t links = 1;
  std::uint32_t device_major = 0;  // of a device node
  std::uint32_t device_minor = 0;
};

DiskEntry disk_entry(std::string path, const struct stat& status);

// "a" and "b" -> "a/b"; the root is "".
std::string join_path(std::string_view directory, std::string_view name);

// What one thread does with what it finds; calls come for one directory after the other. Protected paths are not visited; a
// socket has no place in a layer: it is no entry.
class DiskVisitor {
 public:
  virtual ~DiskVisitor() = default;
  virtual void enter(const std::string& directory) = 0;  // "" is the root
  virtual void entry(std::string_view name, const struct stat& status) = 0;
  virtual void socket(std::string_view /*name*/) {}
  virtual void leave(int directory) = 0;  // all names are known; the open directory
};

// Reads one directory. What is below it is left to the caller, who finds the paths of its directories added to `below`.
class DiskReader {
 public:
  // `root` and `keep` are borrowed.
  DiskReader(int root, const ProtectedPaths& keep) : root_(root), keep_(keep) {}
  // False if there is no such directory (any more). Errors: io::Error(filesystem) naming the path.
  bool read(const std::string& path, DiskVisitor& visitor, std::vector<std::string>& below);

 private:
  int root_;
  const ProtectedPaths& keep_;
  io::DirectoryNames names_;
};

// Walks everything below `root` (borrowed) on one thread a visitor. The root's own entry is not among what is visited.
io::Task<void> walk_disk(io::Runtime& runtime, int root, const ProtectedPaths& keep, std::vector<DiskVisitor*> visitors);

// As many visitors as the CPU pool has threads, each made by `make`, and a walk with them.
template <class Visitor, class Make>
io::Task<std::vector<std::unique_ptr<Visitor>>> walk_with(io::Runtime& runtime, int root, const ProtectedPaths& keep, Make make) {
  std::vector<std::unique_ptr<Visitor>> visitors;
  std::vector<DiskVisitor*> pointers;
  for (unsigned i = 0; i < runtime.cpu().size(); ++i) {
    visitors.push_back(make());
    pointers.push_back(visitors.back().get());
  }
  co_await walk_disk(runtime, root, keep, pointers);
  co_return visitors;
}

// Moves all of `part` to the end of `all`.
template <class Item>
void append(std::vector<Item>& all, std::vector<Item>& part) {
  all.insert(all.end(), std::make_move_iterator(part.begin()), std::make_move_iterator(part.end()));
}

}  // namespace kiln::engine
