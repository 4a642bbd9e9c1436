#include "io/file/open_beneath.hpp"

#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>

#include <linux/openat2.h>

namespace kiln::io {

namespace {

std::atomic<bool> openat2_refused = false;

UniqueFd open_by_components(int directory, const std::string& path, int flags, unsigned mode) {
  UniqueFd parent;
  int at = directory;
  std::size_t begin = 0;
  for (std::size_t slash = path.find('/'); slash != std::string::npos; slash = path.find('/', begin)) {
    const std::string name = path.substr(begin, slash - begin);
    UniqueFd next(openat(at, name.c_str(), O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (!next) return next;
    parent = std::move(next);
    at = parent.get();
    begin = slash + 1;
  }
  const std::string name = path.empty() ? "." : path.substr(begin);
  return UniqueFd(openat(at, name.c_str(), flags | O_NOFOLLOW | O_CLOEXEC, mode));
}

}  // namespace

UniqueFd open_beneath(int directory, const std::string& path, int flags, unsigned mode) {
  if (path.find('/') == std::string::npos) {
    return UniqueFd(openat(directory, path.empty() ? "." : path.c_str(), flags | O_NOFOLLOW | O_CLOEXEC, mode));
  }
  if (!openat2_refused.load(std::memory_order_relaxed)) {
    open_how how{};
    how.flags = static_cast<unsigned>(flags | O_CLOEXEC | O_NOFOLLOW);
    how.mode = (flags & (O_CREAT | O_TMPFILE)) != 0 ? mode : 0;
    how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS;
    UniqueFd fd(static_cast<int>(syscall(SYS_openat2, directory, path.c_str(), &how, sizeof how)));
    if (fd || (errno != ENOSYS && errno != EPERM)) return fd;
    const int refusal = errno;
    // EPERM may also be O_NOATIME's answer for somebody else's file; that is the caller's to handle.
    if (refusal == ENOSYS || (flags & O_NOATIME) == 0) openat2_refused = true;
  }
  return open_by_components(directory, path, flags, mode);
}

UniqueFd NeighbourOpener::open(int directory, const std::string& path, int flags) {
  const std::size_t slash = path.rfind('/');
  if (slash == std::string::npos) return open_beneath(directory, path, flags);
  const std::string_view parent = std::string_view(path).substr(0, slash);
  if (!parent_ || directory != directory_ || parent != parent_path_) {
    parent_path_ = parent;
    directory_ = directory;
    parent_ = open_beneath(directory, parent_path_, O_PATH | O_DIRECTORY);
    if (!parent_) return {};
  }
  return UniqueFd(openat(parent_.get(), path.c_str() + slash + 1, flags | O_NOFOLLOW | O_CLOEXEC));
}

}  // namespace kiln::io
