// Headers of a layer's tar: deterministic ustar with pax records only where ustar cannot hold a value.
//
// Layer bytes are a contract (their hash is the diff id), so they are written here and not by a library: numeric owners
// with empty names, whole-second mtimes in ustar and a pax "mtime" when there are nanoseconds, SCHILY.xattr.* records,
// pax records in a fixed order, hard links after their target, two zero blocks at the end (POSIX.1-2017 pax).
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "oci/tar/entry.hpp"

namespace kiln::oci {

inline constexpr std::size_t tar_block = 512;

// Everything that stands before the content of `entry`: a pax header when needed, then the ustar header.
std::string tar_header(const TarEntry& entry);
// Zero bytes between a content of `size` bytes and the next header.
std::size_t tar_padding(std::uint64_t size);
// What ends the archive: two zero blocks.
inline constexpr std::size_t tar_end_size = 2 * tar_block;

}  // namespace kiln::oci
