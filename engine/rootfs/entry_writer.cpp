#include "engine/rootfs/entry_writer.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "engine/plan/path.hpp"
#include "io/base/error.hpp"
#include "io/base/fd.hpp"

namespace kiln::engine {

namespace {

std::int64_t to_ns(const timespec& time) { return time.tv_sec * 1'000'000'000LL + time.tv_nsec; }

timespec to_timespec(FileTime time) { return {time.seconds, static_cast<long>(time.nanoseconds)}; }

mode_t device_type(FileType type) {
  switch (type) {
    case FileType::fifo: return S_IFIFO;
    case FileType::char_device: return S_IFCHR;
    default: return S_IFBLK;
  }
}

}  // namespace

void fail_in_root(const std::string& doing, const std::string& path) {
  io::throw_errno(errno, fmt::format("{} '/{}' in the root file system", doing, path));
}

DiskStamp stamp_of(const struct stat& status) {
  DiskStamp stamp;
  stamp.inode = status.st_ino;
  stamp.ctime_ns = to_ns(status.st_ctim);
  stamp.mtime_ns = to_ns(status.st_mtim);
  stamp.size = S_ISDIR(status.st_mode) ? 0 : static_cast<std::uint64_t>(status.st_size);
  stamp.mode = status.st_mode;
  stamp.uid = status.st_uid;
  stamp.gid = status.st_gid;
  return stamp;
}

void EntryWriter::warn_once(const char* kind, const std::string& what, int error) {
  {
    const std::lock_guard lock(mutex_);
    if (!warned_.insert(kind).second) return;
  }
  spdlog::warn("{} cannot be put on disk here ({}: {}); layers keep them exactly, a RUN may see the difference", kind, what,
               std::strerror(error));
}

void EntryWriter::set_owner(int fd, const Node& node) {
  if (node.uid == own_uid_ && node.gid == own_gid_) return;
  if (fchown(fd, node.uid, node.gid) != 0) warn_once("owners", fmt::format("chown to {}:{}", node.uid, node.gid), errno);
}

void EntryWriter::set_xattrs(int fd, const Node& node) {
  if (!node.xattrs) return;
  for (const auto& [name, value] : *node.xattrs) {
    if (fsetxattr(fd, name.c_str(), value.data(), value.size(), 0) != 0) warn_once("extended attributes", name, errno);
  }
}

bool EntryWriter::put(int parent, const std::string& path, Node& node, const WriteContent& content) {
  const std::string name(name_of_path(path));
  return node.type == FileType::regular ? put_file(parent, name, path, node, content) : make_special(parent, name, path, node);
}

bool EntryWriter::put_file(int parent, const std::string& name, const std::string& path, Node& node, const WriteContent& content) {
  constexpr int flags = O_CREAT | O_EXCL | O_WRONLY | O_NOFOLLOW | O_CLOEXEC;
  const mode_t plain = node.mode & 0755;
  io::UniqueFd file(openat(parent, name.c_str(), flags, plain));
  const bool replaced = !file && errno == EEXIST;
  if (replaced) {
    remove_recursively(parent, name, path, protected_);
    file = io::UniqueFd(openat(parent, name.c_str(), flags, plain));
  }
  if (!file) fail_in_root("creating", path);
  content(file.get());
  set_owner(file.get(), node);  // clears set-uid bits and capabilities, so it goes first
  if (plain != (node.mode & 07777) && fchmod(file.get(), node.mode & 07777) != 0) fail_in_root("setting the mode of", path);
  set_xattrs(file.get(), node);
  const timespec times[2] = {{0, UTIME_NOW}, to_timespec(node.mtime)};
  if (futimens(file.get(), times) != 0) fail_in_root("setting the time of", path);
  struct stat status{};
  if (fstat(file.get(), &status) != 0) fail_in_root("reading the state of", path);
  node.stamp = stamp_of(status);
  return replaced;
}

// False when something is there already.
bool EntryWriter::try_special(int parent, const std::string& name, const std::string& path, const Node& node) {
  if (node.type == FileType::symlink) {
    if (symlinkat(node.link_target.c_str(), parent, name.c_str()) == 0) return true;
    if (errno != EEXIST) fail_in_root("making link", path);
    return false;
  }
  const mode_t mode = device_type(node.type) | (node.mode & 0777);
  if (mknodat(parent, name.c_str(), mode, makedev(node.device_major, node.device_minor)) == 0) return true;
  if (errno == EEXIST) return false;
  if (errno != EPERM && errno != EACCES) fail_in_root("making device", path);
  warn_once("devices", path, errno);
  const io::UniqueFd stub(openat(parent, name.c_str(), O_CREAT | O_EXCL | O_WRONLY | O_NOFOLLOW | O_CLOEXEC, node.mode & 0777));
  if (!stub && errno != EEXIST) fail_in_root("making a stand-in for device", path);
  return static_cast<bool>(stub);
}

bool EntryWriter::make_special(int parent, const std::string& name, const std::string& path, Node& node) {
  const bool replaced = !try_special(parent, name, path, node);
  if (replaced) {
    remove_recursively(parent, name, path, protected_);
    if (!try_special(parent, name, path, node)) {
      errno = EEXIST;
      fail_in_root("replacing", path);
    }
  }
  if (node.type != FileType::symlink) fchmodat(parent, name.c_str(), node.mode & 07777, 0);
  if ((node.uid != own_uid_ || node.gid != own_gid_) &&
      fchownat(parent, name.c_str(), node.uid, node.gid, AT_SYMLINK_NOFOLLOW) != 0) {
    warn_once("owners", fmt::format("chown to {}:{}", node.uid, node.gid), errno);
  }
  const timespec times[2] = {{0, UTIME_NOW}, to_timespec(node.mtime)};
  utimensat(parent, name.c_str(), times, AT_SYMLINK_NOFOLLOW);
  struct stat status{};
  if (fstatat(parent, name.c_str(), &status, AT_SYMLINK_NOFOLLOW) == 0) node.stamp = stamp_of(status);
  return replaced;
}

DiskStamp EntryWriter::finish_directory(int directory, const std::string& path, const Node& node) {
  set_owner(directory, node);
  if (fchmod(directory, node.mode & 07777) != 0) warn_once("directory modes", path, errno);
  set_xattrs(directory, node);
  const timespec times[2] = {{0, UTIME_NOW}, to_timespec(node.mtime)};
  if (futimens(directory, times) != 0) warn_once("directory times", path, errno);
  struct stat status{};
  if (fstat(directory, &status) != 0) fail_in_root("reading the state of", path);
  return stamp_of(status);
}

}  // namespace kiln::engine
