#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>

#include <fmt/format.h>

#include "engine/sandbox/init_steps.hpp"
#include "io/base/error.hpp"
#include "io/base/fd.hpp"
#include "io/file/open_beneath.hpp"

namespace kiln::engine {

namespace {

// A mount target below `root` as a path that no symlink in the root can bend. Empty when it is not there.
class Target {
 public:
  Target(int root, const std::string& path)
      : fd_(io::open_beneath(root, path, O_PATH)), path_(fmt::format("/proc/self/fd/{}", fd_.get())) {}
  explicit operator bool() const { return static_cast<bool>(fd_); }
  const char* path() const { return path_.c_str(); }

 private:
  io::UniqueFd fd_;
  std::string path_;
};

void bind_mount(const std::string& source, int root, const std::string& path, unsigned long flags) {
  const Target target(root, path);
  if (!target) return;
  if (mount(source.c_str(), target.path(), nullptr, MS_BIND | flags, nullptr) != 0)
    refused(fmt::format("binding {} to /{}", source, path));
}

void mount_proc(int root) {
  const Target target(root, "proc");
  if (!target) return;
  if (mount("proc", target.path(), "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, nullptr) == 0) return;
  // A masked /proc in the pod forbids a fresh one; the pod's own shows more processes than ours, but works.
  if (mount("/proc", target.path(), nullptr, MS_BIND | MS_REC, nullptr) != 0) refused("mounting /proc");
}

void mount_dev(int root) {
  {
    const Target target(root, "dev");
    if (!target) return;
    if (mount("tmpfs", target.path(), "tmpfs", MS_NOSUID | MS_STRICTATIME, "mode=755,size=65536k") != 0) refused("mounting /dev");
  }
  const io::UniqueFd dev = io::open_beneath(root, "dev", O_RDONLY | O_DIRECTORY);
  for (const char* name : {"null", "zero", "full", "random", "urandom", "tty"}) {
    const io::UniqueFd file(openat(dev.get(), name, O_CREAT | O_WRONLY | O_CLOEXEC, 0666));
    bind_mount(fmt::format("/dev/{}", name), dev.get(), name, 0);
  }
  mkdirat(dev.get(), "pts", 0755);
  mkdirat(dev.get(), "shm", 01777);
  mkdirat(dev.get(), "mqueue", 0755);
  const Target pts(dev.get(), "pts");
  if (mount("devpts", pts.path(), "devpts", MS_NOSUID | MS_NOEXEC, "newinstance,ptmxmode=0666,mode=0620") == 0) {
    symlinkat("pts/ptmx", dev.get(), "ptmx");
  }
  const Target shm(dev.get(), "shm");
  mount("shm", shm.path(), "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, "mode=1777,size=65536k");
  symlinkat("/proc/self/fd", dev.get(), "fd");
  symlinkat("/proc/self/fd/0", dev.get(), "stdin");
  symlinkat("/proc/self/fd/1", dev.get(), "stdout");
  symlinkat("/proc/self/fd/2", dev.get(), "stderr");
}

// "lowerdir=l2:l1:l0", topmost first; the paths are relative so that many of them fit into a mount option.
std::string overlay_options(const InitRequest& request) {
  const auto& directories = request.directories;
  return fmt::format("userxattr,lowerdir={},upperdir={},workdir={}", fmt::join(directories.rbegin() + 1, directories.rend(), ":"),
                     directories.back(), request.overlay_work);
}

// volatile (Linux 5.10): no sync of the whole file system when the overlay goes away.
void mount_overlay(const InitRequest& request, const char* target) {
  const std::string options = overlay_options(request);
  if (mount("overlay", target, "overlay", 0, (options + ",volatile").c_str()) == 0) return;
  if (mount("overlay", target, "overlay", 0, options.c_str()) != 0) refused("mounting an overlay");
}

}  // namespace

std::string mount_root(const InitRequest& request) {
  if (mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) refused("making mounts private");
  if (chdir(request.work_directory.c_str()) != 0) refused("entering " + request.work_directory);
  if (!request.overlay_work.empty()) {
    mkdir("merged", 0755);
    mount_overlay(request, "merged");
    return request.work_directory + "/merged";
  }
  const char* root = request.directories.front().c_str();
  if (mount(root, root, nullptr, MS_BIND | MS_REC, nullptr) != 0) refused("binding the root file system");
  return std::filesystem::path(request.work_directory) / root;
}

void mount_system(const std::string& root, const InitRequest& request) {
  const io::UniqueFd fd(open(root.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd) refused("opening the root file system");
  mount_proc(fd.get());
  mount_dev(fd.get());
  bind_mount("/sys", fd.get(), "sys", MS_REC);
  if (!request.resolv_conf.empty()) bind_mount(request.resolv_conf, fd.get(), "etc/resolv.conf", 0);
  if (!request.hosts.empty()) bind_mount(request.hosts, fd.get(), "etc/hosts", 0);
}

void change_root(const std::string& root) {
  if (chdir(root.c_str()) != 0) refused("entering the root file system");
  // containerd's filter does not know pivot_root; moving the mount over "/" does the same.
  if (syscall(SYS_pivot_root, ".", ".") == 0) {
    if (umount2(".", MNT_DETACH) != 0) refused("letting go of the old root");
  } else if (mount(".", "/", nullptr, MS_MOVE, nullptr) != 0) {
    refused("moving the root file system into place");
  }
  if (chroot(".") != 0 || chdir("/") != 0) refused("changing the root");
}

ProbeResult probe_userns(const InitRequest& request) {
  ProbeResult result;
  const auto attempt = [](std::string& said, const auto& step) {
    try {
      step();
      said = "ok";
    } catch (const io::Error& error) {
      said = error.message();
    }
    return said == "ok";
  };
  if (!attempt(result.user_namespace, [&] { enter_user_namespace(request.all_ids); })) return result;
  const bool mounts = attempt(result.mounts, [&] {
    enter_other_namespaces(false);
    if (mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) refused("making mounts private");
    if (chdir(request.work_directory.c_str()) != 0) refused("entering the work directory");
    for (const auto& name : request.directories) mkdir(name.c_str(), 0755);
    for (const char* name : {request.overlay_work.c_str(), "merged"}) mkdir(name, 0755);
    const char* lower = request.directories.front().c_str();
    if (mount(lower, lower, nullptr, MS_BIND | MS_REC, nullptr) != 0) refused("a bind mount");
    umount2(lower, MNT_DETACH);
  });
  if (!mounts) return result;
  attempt(result.overlay, [&] {
    const std::string file_below = request.directories.front() + "/gone";
    const io::UniqueFd file(open(file_below.c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0644));
    mount_overlay(request, "merged");
    if (unlink("merged/gone") != 0) refused("a whiteout in the overlay");
    if (mkdir("merged/made", 0755) != 0) refused("a directory in the overlay");
  });
  return result;
}

}  // namespace kiln::engine
