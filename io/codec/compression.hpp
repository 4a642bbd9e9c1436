// Layer compression: which, how hard, and what the file is called by.
#pragma once

#include <optional>
#include <string_view>

#include "io/base/bytes.hpp"

namespace kiln::io {

enum class Compression { none, gzip, zstd };

std::string_view name_of(Compression compression);

// By the first bytes (at least 4): gzip 1f 8b, zstd 28 b5 2f fd or a skippable frame 5x 2a 4d 18, else none.
Compression detect_compression(Bytes head);

}  // namespace kiln::io
