#include "engine/rootfs/protected_paths.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <memory>
#include <vector>

#include <fmt/format.h>

#include "engine/plan/path.hpp"
#include "io/base/error.hpp"

namespace kiln::engine {

ProtectedPaths::ProtectedPaths(const std::set<std::string>& absolute) {
  for (const auto& path : absolute) paths_.insert(clean_path(path));
}

bool ProtectedPaths::covers(std::string_view path) const {
  if (paths_.empty()) return false;
  for (std::size_t end = path.find('/');; end = path.find('/', end + 1)) {
    if (paths_.contains(path.substr(0, end))) return true;
    if (end == std::string_view::npos) return false;
  }
}

bool ProtectedPaths::below(std::string_view path) const {
  if (path.empty()) return !paths_.empty();
  const std::string prefix = std::string(path) + "/";
  const auto next = paths_.lower_bound(prefix);
  return next != paths_.end() && next->starts_with(prefix);
}

bool remove_recursively(int parent, const std::string& name, const std::string& path, const ProtectedPaths& keep) {
  if (keep.covers(path)) return false;
  if (unlinkat(parent, name.c_str(), 0) == 0 || errno == ENOENT) return true;
  const int unlink_error = errno;
  if (unlink_error != EISDIR && unlink_error != EPERM) {
    if (unlink_error == EBUSY) return false;  // a mount point that nobody told us about
    io::throw_errno(unlink_error, fmt::format("removing '/{}'", path));
  }
  const int fd = openat(parent, name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (fd < 0) io::throw_errno(errno, fmt::format("removing '/{}'", path));
  bool empty = true;
  {
    const std::unique_ptr<DIR, int (*)(DIR*)> directory(fdopendir(fd), closedir);
    std::vector<std::string> names;
    while (const dirent* entry = readdir(directory.get())) {
      if (std::strcmp(entry->d_name, ".") != 0 && std::strcmp(entry->d_name, "..") != 0) names.emplace_back(entry->d_name);
    }
    for (const auto& child : names) empty = remove_recursively(fd, child, path + "/" + child, keep) && empty;
  }
  if (!empty) return false;
  if (unlinkat(parent, name.c_str(), AT_REMOVEDIR) == 0 || errno == ENOENT) return true;
  if (errno == EBUSY || errno == ENOTEMPTY) return false;
  io::throw_errno(errno, fmt::format("removing '/{}'", path));
}

}  // namespace kiln::engine
