// Making a tree cold: as if it had not been read since the machine was started.
#pragma once

#include <string>

#include "engine/rootfs/rootfs.hpp"
#include "engine/tree/tree.hpp"

namespace kiln::bench {

// What chill() does here, for a report: as root the kernel's caches of the whole machine are dropped; else the pages of the
// tree's files, while inodes and directories stay in memory.
std::string chill_method();

// `tree`: what is in `root`. Waits until the file system has written everything.
// Errors: io::Error(filesystem).
void chill(const engine::Rootfs& root, const engine::Tree& tree);

}  // namespace kiln::bench
