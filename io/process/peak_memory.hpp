// The most memory that this program has had resident.
#pragma once

#include <cstdint>

namespace kiln::io {

// Bytes. Not getrusage's: that begins with what was resident in the process that started this one, until exec.
std::uint64_t peak_memory();

}  // namespace kiln::io
