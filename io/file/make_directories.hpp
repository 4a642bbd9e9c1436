// Directories with their parents.
#pragma once

#include <string>

namespace kiln::io {

// Makes what is missing of `path`. Errors: Error(filesystem) naming it.
void make_directories(const std::string& path);

}  // namespace kiln::io
