// Opening files below a directory without ever leaving it.
#pragma once

#include <string>

#include "io/base/fd.hpp"

namespace kiln::io {

// openat2 with RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS; where the kernel or a filter refuses that call (ENOSYS, EPERM), one
// component after the other with O_NOFOLLOW. `path` is relative and cleaned; "" is the directory itself. O_CLOEXEC is
// added. Invalid with errno set on failure; a symlink on the way is ELOOP (ENOTDIR from the fall-back).
UniqueFd open_beneath(int directory, const std::string& path, int flags, unsigned mode = 0);

// The same for many files, one after the other: where the next one is in the directory of the last, only its name is looked up. The
// directories given must stay open as long as this lives. For one thread.
class NeighbourOpener {
 public:
  UniqueFd open(int directory, const std::string& path, int flags);

 private:
  int directory_ = -1;
  std::string parent_path_;
  UniqueFd parent_;
};

}  // namespace kiln::io
