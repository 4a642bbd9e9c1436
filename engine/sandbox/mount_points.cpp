#include "engine/sandbox/mount_points.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <optional>

#include <fmt/format.h>

#include "engine/plan/path.hpp"
#include "io/base/error.hpp"
#include "io/file/open_beneath.hpp"

namespace kiln::engine {

KeepTimes::KeepTimes(int directory) : directory_(directory), times_{} {
  struct stat status{};
  if (fstat(directory, &status) != 0) {
    directory_ = -1;
    return;
  }
  times_[0] = status.st_atim;
  times_[1] = status.st_mtim;
}

KeepTimes::~KeepTimes() {
  if (directory_ >= 0) futimens(directory_, times_);
}

// Opens `path` below its open parent, made if it is missing: like `lasting`, if there is one.
io::UniqueFd MountPoints::enter(const io::UniqueFd& parent, const std::string& path, const Node* lasting) {
  const std::string name(name_of_path(path));
  constexpr int flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
  io::UniqueFd directory(openat(parent.get(), name.c_str(), flags));
  if (directory || errno != ENOENT) return directory;
  const auto node = tree_.find(path);
  const bool known = node && node->is_directory();
  std::optional<KeepTimes> keep;
  if (known || !lasting) keep.emplace(parent.get());
  if (mkdirat(parent.get(), name.c_str(), 0755) != 0) return directory;
  directory = io::UniqueFd(openat(parent.get(), name.c_str(), flags));
  if (known || lasting) {
    if (directory) entries_.finish_directory(directory.get(), path, known ? *node : *lasting);
  } else {
    fchmodat(parent.get(), name.c_str(), 0755, 0);
    made_.push_back(path);
  }
  return directory;
}

void MountPoints::make_parent(const std::string& path) {
  io::UniqueFd directory = io::open_beneath(root_, "", O_RDONLY | O_DIRECTORY);
  for (std::size_t slash = path.find('/'); directory && slash != std::string::npos; slash = path.find('/', slash + 1)) {
    directory = enter(directory, path.substr(0, slash));
  }
  if (!directory) io::throw_errno(errno, fmt::format("making the mount point /{}", path));
}

void MountPoints::make_lasting(const std::string& path, const Node& made) {
  io::UniqueFd directory = io::open_beneath(root_, "", O_RDONLY | O_DIRECTORY);
  for (std::size_t slash = path.find('/'); directory; slash = path.find('/', slash + 1)) {
    const std::string at = path.substr(0, slash);
    const auto node = tree_.find(at);
    if (node && !node->is_directory()) return;
    directory = enter(directory, at, &made);
    if (slash == std::string::npos) return;
  }
}

void MountPoints::make(const std::string& path, bool directory) {
  make_parent(path);
  const io::UniqueFd parent = io::open_beneath(root_, std::string(parent_of(path)), O_RDONLY | O_DIRECTORY);
  if (!parent) io::throw_errno(errno, fmt::format("making the mount point /{}", path));
  const std::string name(name_of_path(path));
  if (directory) {
    const io::UniqueFd made = enter(parent, path);
    if (!made) io::throw_errno(errno, fmt::format("making the mount point /{}", path));
    return;
  }
  struct stat status{};
  if (tree_.find(path) || fstatat(parent.get(), name.c_str(), &status, AT_SYMLINK_NOFOLLOW) == 0) return;
  const KeepTimes keep(parent.get());
  const io::UniqueFd file(openat(parent.get(), name.c_str(), O_CREAT | O_EXCL | O_WRONLY | O_NOFOLLOW | O_CLOEXEC, 0644));
  if (!file) io::throw_errno(errno, fmt::format("making the mount point /{}", path));
  made_.push_back(path);
}

void MountPoints::clear() noexcept {
  for (auto path = made_.rbegin(); path != made_.rend(); ++path) {
    const io::UniqueFd parent = io::open_beneath(root_, std::string(parent_of(*path)), O_RDONLY | O_DIRECTORY);
    const std::string name(name_of_path(*path));
    struct stat status{};
    if (!parent || fstatat(parent.get(), name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0) continue;
    const KeepTimes keep(parent.get());
    if (S_ISDIR(status.st_mode)) {
      unlinkat(parent.get(), name.c_str(), AT_REMOVEDIR);
    } else if (S_ISREG(status.st_mode) && status.st_size == 0) {
      unlinkat(parent.get(), name.c_str(), 0);
    }
  }
  made_.clear();
}

}  // namespace kiln::engine
