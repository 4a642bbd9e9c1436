// Whether something can be written at a path: found out before there is anything to write, leaving nothing behind.
#pragma once

#include <string>

namespace kiln::io {

enum class MissingParents { refused, made };  // what the one who will write does about them

// Errors: Error(filesystem) naming the path and what is in the way.
void check_writable_file(const std::string& path, MissingParents parents = MissingParents::refused);
void check_writable_directory(const std::string& path);  // one that is there, or will be made with its parents

}  // namespace kiln::io
