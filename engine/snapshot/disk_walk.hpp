// Walking a root file system on all cores: names by getdents, one statx each, directories shared out between threads.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "engine/rootfs/disk_writer.hpp"
#include "engine/tree/tree.hpp"
#include "io/loop/runtime.hpp"

struct stat;

namespace kiln::engine {

// What is on disk at a path.
struct DiskEntry {
  std::string path;
  DiskStamp stamp;
  std::uint64_t device = 0;  // of the file system
  std::uint64_t links = 1;
  std::uint32_t device_major = 0;  // of a device node
  std::uint32_t device_minor = 0;
};

struct DirectoryListing {
  std::string path;
  std::vector<std::string> names;  // sorted; protected ones and sockets are left out
};

// Called on several threads at once, `worker` numbers them from 0: for every entry, and for every directory once its names
// are known. Entries that `keep` covers are not visited.
struct WalkVisitor {
  std::function<void(unsigned worker, const DiskEntry& entry)> entry;
  std::function<void(unsigned worker, const DirectoryListing& listing)> listing;  // may be empty
};

// `root` is borrowed; the root itself is visited with the path "".
io::Task<void> walk_disk(io::Runtime& runtime, int root, const ProtectedPaths& keep, WalkVisitor visitor);

}  // namespace kiln::engine
