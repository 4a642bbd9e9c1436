// What a COPY reads, as one digest.
#pragma once

#include <string>

#include "engine/tree/tree.hpp"
#include "io/loop/runtime.hpp"

namespace kiln::engine {

// SHA-256 over the paths of `changes` in `tree` (what a COPY into an empty root has made): name, type, mode, owner, size, link
// target, device, attributes, which names are one inode, and the bytes of regular files, which are read on all cores. Times
// are left out. Contents must be in directories or inline. Errors: io::Error(filesystem) naming a file that cannot be read.
io::Task<std::string> fingerprint(io::Runtime& runtime, Tree tree, Changes changes);

}  // namespace kiln::engine
