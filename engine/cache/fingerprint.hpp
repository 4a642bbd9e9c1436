// What a COPY reads, as one digest.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "engine/tree/tree.hpp"
#include "io/loop/runtime.hpp"

namespace kiln::engine {

// A file that was read, in short.
struct FileHash {
  std::string path;  // in its directory
  char type = 'f';   // f, d, l, o
  std::uint32_t mode = 0;
  std::uint32_t hash = 0;  // of the content
};
using FileHashes = std::vector<FileHash>;
std::uint32_t hash_in_short(std::string_view content);  // as that of a file

// SHA-256 over the paths of `changes` in `tree` (what a COPY into an empty root has made): name, type, mode, owner, size, link
// target, device, attributes, which names are one inode, and the bytes of regular files, which are read on all cores. Times
// are left out. Contents must be in directories or inline. `read` (may be null) is told the regular files. Errors:
// io::Error(filesystem) naming a file that cannot be read.
io::Task<std::string> fingerprint(io::Runtime& runtime, Tree tree, Changes changes, FileHashes* read = nullptr);

}  // namespace kiln::engine
