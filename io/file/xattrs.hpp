// Extended attributes.
#pragma once

#include <map>
#include <optional>
#include <string>

namespace kiln::io {

using XattrMap = std::map<std::string, std::string>;  // full names ("user.x"); values are bytes

// Those of the open file `fd`, which is not O_PATH. Nothing, and errno, where they cannot be read: ENOTSUP where the file system
// has none at all. A value that cannot be read is left out.
std::optional<XattrMap> xattrs_of(int fd);

// Those of the entry `name` of an open directory; a link's own.
std::optional<XattrMap> xattrs_at(int directory, const char* name);

}  // namespace kiln::io
