#include "engine/rootfs/disk_writer.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <memory>
#include <vector>

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "engine/plan/path.hpp"
#include "io/base/error.hpp"
#include "io/file/open_beneath.hpp"

namespace kiln::engine {

namespace {

constexpr std::size_t most_open_directories = 256;

std::int64_t to_ns(const timespec& time) { return time.tv_sec * 1'000'000'000LL + time.tv_nsec; }

timespec to_timespec(FileTime time) { return {time.seconds, static_cast<long>(time.nanoseconds)}; }

[[noreturn]] void fail(const std::string& doing, const std::string& path) {
  io::throw_errno(errno, fmt::format("{} '/{}' in the root file system", doing, path));
}

}  // namespace

DiskStamp stamp_of(const struct stat& status) {
  DiskStamp stamp;
  stamp.inode = status.st_ino;
  stamp.ctime_ns = to_ns(status.st_ctim);
  stamp.mtime_ns = to_ns(status.st_mtim);
  stamp.size = static_cast<std::uint64_t>(status.st_size);
  stamp.mode = status.st_mode;
  stamp.uid = status.st_uid;
  stamp.gid = status.st_gid;
  return stamp;
}

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

DiskWriter::DiskWriter(int root, const ProtectedPaths& protected_paths) : root_(root), protected_(protected_paths) {}

void DiskWriter::warn_once(const char* kind, const std::string& what, int error) {
  if (!warned_.insert(kind).second) return;
  spdlog::warn("{} cannot be put on disk here ({}: {}); layers keep them exactly, a RUN may see the difference", kind, what,
               std::strerror(error));
}

// The descriptor of a directory, which is made with its parents where it is missing.
int DiskWriter::open_directory(const std::string& path) {
  if (path.empty()) return root_;
  const auto known = directories_.find(path);
  if (known != directories_.end()) return known->second.get();
  io::UniqueFd fd = io::open_beneath(root_, path, O_PATH | O_DIRECTORY);
  if (!fd && (errno == ENOENT || errno == ENOTDIR || errno == ELOOP)) {
    make_directory(path, Node());
    fd = io::open_beneath(root_, path, O_PATH | O_DIRECTORY);
  }
  if (!fd) fail("opening directory", path);
  if (directories_.size() >= most_open_directories) directories_.clear();
  return directories_.emplace(path, std::move(fd)).first->second.get();
}

int DiskWriter::parent_of_path(const std::string& path, std::string& name) {
  name = name_of_path(path);
  std::string parent(parent_of(path));
  const int fd = open_directory(parent);
  touched_.insert(std::move(parent));
  return fd;
}

void DiskWriter::forget_below(const std::string& path) {
  std::erase_if(directories_, [&](const auto& entry) { return entry.first == path || entry.first.starts_with(path + "/"); });
}

void DiskWriter::make_directory(const std::string& path, const Node& node) {
  std::string name;
  const int parent = parent_of_path(path, name);
  touched_.insert(path);
  if (mkdirat(parent, name.c_str(), (node.mode & 07777) | 0700) == 0) return;
  if (errno != EEXIST) fail("making directory", path);
  struct stat status {};
  if (fstatat(parent, name.c_str(), &status, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(status.st_mode)) return;
  if (unlinkat(parent, name.c_str(), 0) != 0) fail("replacing", path);
  if (mkdirat(parent, name.c_str(), (node.mode & 07777) | 0700) != 0) fail("making directory", path);
}

void DiskWriter::set_owner(int fd, const Node& node) {
  if (node.uid == geteuid() && node.gid == getegid()) return;
  if (fchown(fd, node.uid, node.gid) != 0) warn_once("owners", fmt::format("chown to {}:{}", node.uid, node.gid), errno);
}

void DiskWriter::set_xattrs(int fd, const Node& node) {
  if (!node.xattrs) return;
  for (const auto& [name, value] : *node.xattrs) {
    if (fsetxattr(fd, name.c_str(), value.data(), value.size(), 0) != 0) warn_once("extended attributes", name, errno);
  }
}

void DiskWriter::make_file(int parent, const std::string& name, const std::string& path, Node& node, const WriteContent& content) {
  constexpr int flags = O_CREAT | O_EXCL | O_WRONLY | O_NOFOLLOW | O_CLOEXEC;
  const mode_t plain = node.mode & 0755;
  io::UniqueFd file(openat(parent, name.c_str(), flags, plain));
  if (!file && errno == EEXIST) {
    remove_recursively(parent, name, path, protected_);
    forget_below(path);
    file = io::UniqueFd(openat(parent, name.c_str(), flags, plain));
  }
  if (!file) fail("creating", path);
  content(file.get());
  set_owner(file.get(), node);  // clears set-uid bits and capabilities, so it goes first
  if (plain != (node.mode & 07777) && fchmod(file.get(), node.mode & 07777) != 0) fail("setting the mode of", path);
  set_xattrs(file.get(), node);
  const timespec times[2] = {{0, UTIME_NOW}, to_timespec(node.mtime)};
  if (futimens(file.get(), times) != 0) fail("setting the time of", path);
  struct stat status {};
  if (fstat(file.get(), &status) != 0) fail("reading the state of", path);
  node.stamp = stamp_of(status);
}

void DiskWriter::make_special(int parent, const std::string& name, Node& node) {
  if (node.type == FileType::symlink) {
    if (symlinkat(node.link_target.c_str(), parent, name.c_str()) != 0) fail("making link", name);
  } else {
    const mode_t type = node.type == FileType::fifo ? S_IFIFO : node.type == FileType::char_device ? S_IFCHR : S_IFBLK;
    if (mknodat(parent, name.c_str(), type | (node.mode & 0777), makedev(node.device_major, node.device_minor)) != 0) {
      if (errno != EPERM && errno != EACCES) fail("making device", name);
      warn_once("devices", name, errno);
      const io::UniqueFd stub(openat(parent, name.c_str(), O_CREAT | O_EXCL | O_WRONLY | O_NOFOLLOW | O_CLOEXEC, node.mode & 0777));
      if (!stub) fail("making a stand-in for device", name);
    }
    fchmodat(parent, name.c_str(), node.mode & 07777, 0);
  }
  if ((node.uid != geteuid() || node.gid != getegid()) &&
      fchownat(parent, name.c_str(), node.uid, node.gid, AT_SYMLINK_NOFOLLOW) != 0) {
    warn_once("owners", fmt::format("chown to {}:{}", node.uid, node.gid), errno);
  }
  const timespec times[2] = {{0, UTIME_NOW}, to_timespec(node.mtime)};
  utimensat(parent, name.c_str(), times, AT_SYMLINK_NOFOLLOW);
  struct stat status {};
  if (fstatat(parent, name.c_str(), &status, AT_SYMLINK_NOFOLLOW) == 0) node.stamp = stamp_of(status);
}

void DiskWriter::put(const std::string& path, Node& node, const WriteContent& content) {
  if (protected_.covers(path)) return;
  if (path.empty()) {
    touched_.insert(path);
    return;
  }
  if (node.is_directory()) {
    make_directory(path, node);
    return;
  }
  std::string name;
  const int parent = parent_of_path(path, name);
  if (node.type == FileType::regular) {
    make_file(parent, name, path, node, content);
    return;
  }
  struct stat status {};
  if (fstatat(parent, name.c_str(), &status, AT_SYMLINK_NOFOLLOW) == 0) {
    remove_recursively(parent, name, path, protected_);
    forget_below(path);
  }
  make_special(parent, name, node);
}

void DiskWriter::link(const std::string& path, const std::string& target, Node& node) {
  if (protected_.covers(path) || protected_.covers(target)) return;
  std::string name, target_name;
  const int parent = parent_of_path(path, name);
  // A parent that was opened for the second path may have emptied the cache, so the first is kept by a duplicate.
  const io::UniqueFd held(fcntl(parent, F_DUPFD_CLOEXEC, 3));
  const int target_parent = parent_of_path(target, target_name);
  if (linkat(target_parent, target_name.c_str(), held.get(), name.c_str(), 0) != 0) {
    if (errno != EEXIST) fail("making hard link", path);
    remove_recursively(held.get(), name, path, protected_);
    forget_below(path);
    if (linkat(target_parent, target_name.c_str(), held.get(), name.c_str(), 0) != 0) fail("making hard link", path);
  }
  struct stat status {};
  if (fstatat(held.get(), name.c_str(), &status, AT_SYMLINK_NOFOLLOW) == 0) node.stamp = stamp_of(status);
}

void DiskWriter::remove(const std::string& path) {
  if (protected_.covers(path)) return;
  std::string name;
  const int parent = parent_of_path(path, name);
  remove_recursively(parent, name, path, protected_);
  forget_below(path);
}

void DiskWriter::finish_directories(Tree& tree) {
  for (auto path = touched_.rbegin(); path != touched_.rend(); ++path) {  // children sort after their parents
    const Node* node = tree.find(*path);
    if (!node || !node->is_directory() || protected_.covers(*path)) continue;
    const io::UniqueFd fd = io::open_beneath(root_, *path, O_RDONLY | O_DIRECTORY);
    if (!fd) continue;  // replaced by something else in the meantime
    set_owner(fd.get(), *node);
    if (fchmod(fd.get(), node->mode & 07777) != 0) warn_once("directory modes", *path, errno);
    set_xattrs(fd.get(), *node);
    const timespec times[2] = {{0, UTIME_NOW}, to_timespec(node->mtime)};
    if (futimens(fd.get(), times) != 0) warn_once("directory times", *path, errno);
    struct stat status {};
    if (fstat(fd.get(), &status) == 0) {
      tree.update(*path, [&](Node& changed) { changed.stamp = stamp_of(status); });
    }
  }
  touched_.clear();
  directories_.clear();
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
