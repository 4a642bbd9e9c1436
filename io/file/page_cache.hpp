// Whether files are in memory.
#pragma once

#include <string>

namespace kiln::io {

// Would reading the first byte of the file wait for its disk? False where that cannot be known. `path` is below `directory`.
bool is_cold(int directory, const std::string& path);

}  // namespace kiln::io
