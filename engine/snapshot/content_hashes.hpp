// Hashes of many files of a root. What the page cache has is read where it is hashed, on threads; what it has not comes
// through the ring, many files in flight, where the kernel lets us have one.
#pragma once

#include <vector>

#include "engine/snapshot/disk_walk.hpp"
#include "io/codec/digest.hpp"
#include "io/file/read_plan.hpp"
#include "io/loop/runtime.hpp"

namespace kiln::engine {

// automatic: by a sample of the files; ring: through the ring if there is one. A file that cannot be read has the hash of an
// empty one. `root` is borrowed.
io::Task<std::vector<io::Xxh128Value>> hash_contents(io::Runtime& runtime, int root, const std::vector<DiskEntry>& files,
                                                     io::ReaderChoice choice = io::ReaderChoice::automatic);

}  // namespace kiln::engine
