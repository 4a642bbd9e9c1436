// Codecs on bytes in memory.
#pragma once

#include <cstddef>
#include <string>

#include "io/base/bytes.hpp"

namespace kiln::io {

// What `bytes` are of, by their first ones. Errors: io::Error(integrity), also for more than `limit` bytes.
std::string decompress_text(Bytes bytes, std::size_t limit);

}  // namespace kiln::io
