// Paths inside an image, as text.
#pragma once

#include <string>
#include <string_view>

namespace kiln::engine {

// "a//b/../c/./" -> "a/c"; ".." stops at the top; no leading and no trailing '/'; "" for the root.
std::string clean_path(std::string_view path);

// `path` against `directory` (absolute): absolute and cleaned. With keep_trailing, a '/' (or "/.") at the end of `path`
// stays as one '/', because COPY reads it as "a directory".
std::string absolute_path(std::string_view directory, std::string_view path, bool keep_trailing = true);

std::string_view parent_of(std::string_view path);     // "a/b" -> "a"; "a" -> ""
std::string_view name_of_path(std::string_view path);  // "a/b" -> "b"

}  // namespace kiln::engine
