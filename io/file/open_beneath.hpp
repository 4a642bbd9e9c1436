// Opening files below a directory without ever leaving it.
#pragma once

#include <string>

#include "io/base/fd.hpp"

namespace kiln::io {

// openat2 with RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS; where the kernel or a filter refuses that call (ENOSYS, EPERM), one
// component after the other with O_NOFOLLOW. `path` is relative and cleaned; "" is the directory itself. O_CLOEXEC is
// added. Invalid with errno set on failure; a symlink on the way is ELOOP (ENOTDIR from the fall-back).
UniqueFd open_beneath(int directory, const std::string& path, int flags, unsigned mode = 0);

}  // namespace kiln::io
