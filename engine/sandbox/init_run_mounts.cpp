// A RUN's own mounts, in the new mount namespace.
#include <fcntl.h>
#include <linux/mount.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include <fmt/format.h>

#include "engine/plan/path.hpp"
#include "engine/sandbox/init_steps.hpp"
#include "io/base/error.hpp"
#include "io/base/fd.hpp"
#include "io/file/open_beneath.hpp"

namespace kiln::engine {

namespace {

[[noreturn]] void mount_refused(const SandboxMount& mount, const char* doing) {
  throw io::Error(io::ErrorKind::unsupported, fmt::format("RUN --mount={}: {}: {}", mount.name, doing, std::strerror(errno)));
}

std::string path_of(const io::UniqueFd& fd) { return fmt::format("/proc/self/fd/{}", fd.get()); }

// A mount point inside another mount; those in the root itself are there already.
io::UniqueFd open_target(int root, const SandboxMount& mount) {
  io::UniqueFd target = io::open_beneath(root, mount.target, O_PATH);
  if (target || errno != ENOENT) return target;
  for (std::size_t slash = mount.target.find('/'); slash != std::string::npos; slash = mount.target.find('/', slash + 1)) {
    const std::string path = mount.target.substr(0, slash);
    const io::UniqueFd parent = io::open_beneath(root, std::string(parent_of(path)), O_PATH);
    if (mkdirat(parent.get(), std::string(name_of_path(path)).c_str(), 0755) != 0 && errno != EEXIST) return {};
  }
  const io::UniqueFd parent = io::open_beneath(root, std::string(parent_of(mount.target)), O_PATH);
  const std::string name(name_of_path(mount.target));
  if (mount.is_directory()) {
    if (mkdirat(parent.get(), name.c_str(), 0755) != 0) return {};
  } else {
    const io::UniqueFd file(openat(parent.get(), name.c_str(), O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0644));
    if (!file) return {};
  }
  return io::open_beneath(root, mount.target, O_PATH);
}

// Read-only with everything mounted below it; older kernels: the mount itself, with the flags it may not lose.
void make_read_only(int root, const SandboxMount& mount) {
  const io::UniqueFd target = io::open_beneath(root, mount.target, O_PATH);
  mount_attr attributes{};
  attributes.attr_set = MOUNT_ATTR_RDONLY;
  if (syscall(SYS_mount_setattr, target.get(), "", AT_EMPTY_PATH | AT_RECURSIVE, &attributes, sizeof attributes) == 0) return;
  struct statvfs status{};
  if (fstatvfs(target.get(), &status) != 0) mount_refused(mount, "reading the mount's flags");
  unsigned long flags = MS_REMOUNT | MS_BIND | MS_RDONLY;
  if (status.f_flag & ST_NOSUID) flags |= MS_NOSUID;
  if (status.f_flag & ST_NODEV) flags |= MS_NODEV;
  if (status.f_flag & ST_NOEXEC) flags |= MS_NOEXEC;
  if (status.f_flag & ST_NOATIME) flags |= MS_NOATIME;
  if (status.f_flag & ST_NODIRATIME) flags |= MS_NODIRATIME;
  if (status.f_flag & ST_RELATIME) flags |= MS_RELATIME;
  if (::mount(nullptr, path_of(target).c_str(), nullptr, flags, nullptr) != 0) mount_refused(mount, "making it read-only");
}

// Files that are nowhere else: below a tmpfs that only this process ever sees.
class PrivateFiles {
 public:
  explicit PrivateFiles(const std::string& work_directory) : directory_(work_directory + "/files") {}

  std::string write(const SandboxMount& mount) {
    if (count_ == 0) {
      mkdir(directory_.c_str(), 0700);
      if (::mount("tmpfs", directory_.c_str(), "tmpfs", MS_NOSUID | MS_NODEV, "mode=700") != 0)
        mount_refused(mount, "mounting a tmpfs");
    }
    const std::string path = fmt::format("{}/{}", directory_, count_++);
    const io::UniqueFd file(open(path.c_str(), O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600));
    if (!file || ::write(file.get(), mount.bytes.data(), mount.bytes.size()) != static_cast<ssize_t>(mount.bytes.size())) {
      mount_refused(mount, "writing it to a tmpfs");
    }
    if ((mount.uid != 0 || mount.gid != 0) && fchown(file.get(), mount.uid, mount.gid) != 0)
      mount_refused(mount, "giving it its owner");
    if (fchmod(file.get(), mount.mode & 07777) != 0) mount_refused(mount, "giving it its mode");
    return path;
  }

 private:
  std::string directory_;
  int count_ = 0;
};

void bind_source(int root, const SandboxMount& mount, const std::string& source) {
  const io::UniqueFd target = open_target(root, mount);
  if (!target) mount_refused(mount, "making its mount point");
  if (::mount(source.c_str(), path_of(target).c_str(), nullptr, MS_BIND | MS_REC, nullptr) != 0)
    mount_refused(mount, "mounting it");
  if (mount.read_only) make_read_only(root, mount);
}

// Writes go to a directory that is thrown away.
void overlay_source(int root, const SandboxMount& mount) {
  const io::UniqueFd target = open_target(root, mount);
  if (!target) mount_refused(mount, "making its mount point");
  const std::string options = fmt::format("userxattr,lowerdir={0},upperdir={1}/u,workdir={1}/w", mount.source, mount.upper);
  if (::mount("overlay", path_of(target).c_str(), "overlay", 0, options.c_str()) != 0) mount_refused(mount, "mounting an overlay");
}

void mount_tmpfs(int root, const SandboxMount& mount) {
  const io::UniqueFd target = open_target(root, mount);
  if (!target) mount_refused(mount, "making its mount point");
  std::string options = "mode=1777";
  if (mount.size != 0) options += fmt::format(",size={}", mount.size);
  const unsigned long flags = MS_NOSUID | MS_NODEV | (mount.read_only ? MS_RDONLY : 0UL);
  if (::mount("tmpfs", path_of(target).c_str(), "tmpfs", flags, options.c_str()) != 0) mount_refused(mount, "mounting it");
}

}  // namespace

void mount_for_run(const std::string& root, const InitRequest& request) {
  if (request.mounts.empty()) return;
  const io::UniqueFd fd(open(root.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  PrivateFiles files(request.work_directory);
  for (const auto& mount : request.mounts) {
    if (mount.kind == SandboxMount::Kind::tmpfs) {
      mount_tmpfs(fd.get(), mount);
    } else if (mount.kind == SandboxMount::Kind::file) {
      bind_source(fd.get(), mount, files.write(mount));
    } else if (!mount.upper.empty()) {
      overlay_source(fd.get(), mount);
    } else {
      bind_source(fd.get(), mount, mount.source);
    }
  }
}

}  // namespace kiln::engine
