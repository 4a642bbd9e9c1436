// A whole file as a string.
#pragma once

#include <optional>
#include <string>

namespace kiln::io {

// Nothing for a file that cannot be opened; what that means is the caller's. Blocks; for small files.
std::optional<std::string> read_file(const std::string& path);

}  // namespace kiln::io
