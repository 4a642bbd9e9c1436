// SHA-256 of many files: on threads where they are in memory, through io_uring where they have to come from a disk.
#pragma once

#include <vector>

#include "engine/tree/tree.hpp"
#include "io/codec/digest.hpp"
#include "io/file/read_plan.hpp"
#include "io/loop/runtime.hpp"

namespace kiln::engine {

struct HashedFile {
  Content content;         // in a directory, or inline
  std::uint64_t size = 0;  // bytes
  DiskStamp stamp;         // as it was seen; may be none
  io::Sha256Value hash{};  // out
  bool changed = false;    // out: its stamp is another now, so nobody knows when it held what was hashed
};

// Errors: io::Error(filesystem) naming a file that cannot be read.
io::Task<void> hash_files(io::Runtime& runtime, std::vector<HashedFile>& files,
                          io::ReaderChoice choice = io::ReaderChoice::automatic);

}  // namespace kiln::engine
