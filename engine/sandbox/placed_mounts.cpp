#include "engine/sandbox/placed_mounts.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <exception>
#include <filesystem>

#include <fmt/format.h>

#include "engine/plan/path.hpp"
#include "engine/rootfs/move_entry.hpp"
#include "io/base/error.hpp"
#include "io/file/open_beneath.hpp"

namespace kiln::engine {

namespace {

struct Place {
  io::UniqueFd directory;
  std::string name;
};

Place place_of(const std::string& path) {
  const std::filesystem::path as_path(path);
  Place place{io::UniqueFd(open(as_path.parent_path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)), as_path.filename()};
  if (!place.directory) io::throw_errno(errno, fmt::format("opening '{}'", as_path.parent_path().string()));
  return place;
}

bool exists(int directory, const std::string& name) {
  struct stat status{};
  return fstatat(directory, name.c_str(), &status, AT_SYMLINK_NOFOLLOW) == 0;
}

void write_file(int parent, const std::string& name, const SandboxMount& mount) {
  const io::UniqueFd file(openat(parent, name.c_str(), O_CREAT | O_EXCL | O_WRONLY | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (!file) io::throw_errno(errno, "creating it");
  if (write(file.get(), mount.bytes.data(), mount.bytes.size()) != static_cast<ssize_t>(mount.bytes.size())) {
    io::throw_errno(errno, "writing it (is the disk full?)");
  }
  if ((mount.uid != 0 || mount.gid != 0) && fchown(file.get(), mount.uid, mount.gid) != 0)
    io::throw_errno(errno, "giving it its owner");
  if (fchmod(file.get(), mount.mode & 07777) != 0) io::throw_errno(errno, "giving it its mode");
}

}  // namespace

void PlacedMounts::check(const SandboxMount& mount) const {
  const std::string parent(parent_of(mount.target));
  const bool is_one = keep_.covers(mount.target) && (parent.empty() || !keep_.covers(parent));
  if (!is_one && !keep_.below(mount.target)) return;
  throw io::Error(io::ErrorKind::unsupported,
                  fmt::format("RUN --mount={}: this cannot be honoured in place: {} /{} is a mount of the container or left alone "
                              "(--ignore-path); another target or the userns sandbox can",
                              mount.name, is_one ? "its target" : "something below its target", mount.target));
}

io::UniqueFd PlacedMounts::open_aside() {
  std::filesystem::create_directories(aside_);
  io::UniqueFd directory(open(aside_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!directory) io::throw_errno(errno, fmt::format("opening '{}'", aside_));
  return directory;
}

void PlacedMounts::place(const std::vector<SandboxMount>& mounts) {
  for (const auto& mount : mounts) check(mount);
  for (const auto& mount : mounts) {
    placed_.emplace_back();
    placed_.back().mount = mount;
    try {
      place_one(placed_.back());
    } catch (...) {
      io::rethrow_with_context(std::current_exception(), fmt::format("RUN --mount={}: placing it", mount.name));
    }
  }
}

void PlacedMounts::place_one(Placed& placed) {
  const std::string& target = placed.mount.target;
  placed.points = std::make_unique<MountPoints>(root_, tree_, keep_);
  placed.points->make_parent(target);
  placed.name = std::string(name_of_path(target));
  placed.parent = io::open_beneath(root_, std::string(parent_of(target)), O_RDONLY | O_DIRECTORY);
  if (!placed.parent) io::throw_errno(errno, "opening the directory of its target");
  const KeepTimes keep(placed.parent.get());
  if (exists(placed.parent.get(), placed.name)) {
    const io::UniqueFd aside = open_aside();
    move_entry(placed.parent.get(), placed.name, aside.get(), fmt::format("{}", placed_.size() - 1));
    placed.moved_aside = true;
  }
  fill(placed);
  placed.filled = true;
}

void PlacedMounts::fill(Placed& placed) {
  const int parent = placed.parent.get();
  switch (placed.mount.kind) {
    case SandboxMount::Kind::tmpfs:
      if (mkdirat(parent, placed.name.c_str(), 0700) != 0) io::throw_errno(errno, "making its directory");
      fchmodat(parent, placed.name.c_str(), 01777, 0);
      break;
    case SandboxMount::Kind::file: write_file(parent, placed.name, placed.mount); break;
    case SandboxMount::Kind::bind:
    case SandboxMount::Kind::cache: {
      const Place source = place_of(placed.mount.source);
      move_entry(source.directory.get(), source.name, parent, placed.name);
      break;
    }
  }
}

void PlacedMounts::take_back() {
  std::exception_ptr failure;
  while (!placed_.empty()) {
    try {
      take_back_one(placed_.back());
    } catch (...) {
      if (!failure) failure = std::current_exception();
    }
    placed_.pop_back();
  }
  if (failure) io::rethrow_with_context(failure, "taking a RUN's mounts away again");
}

void PlacedMounts::take_back_one(Placed& placed) {
  static const ProtectedPaths none;
  if (placed.parent) {
    const int parent = placed.parent.get();
    const KeepTimes keep(parent);
    if (placed.filled && placed.mount.kind == SandboxMount::Kind::cache && exists(parent, placed.name)) {
      const Place source = place_of(placed.mount.source);
      move_entry(parent, placed.name, source.directory.get(), source.name);
    } else if (placed.filled || placed.moved_aside || placed.mount.kind == SandboxMount::Kind::file) {
      remove_recursively(parent, placed.name, placed.mount.target, none);
    }
    struct stat status{};
    if (placed.moved_aside && fstat(parent, &status) == 0 && status.st_nlink > 0) {  // unless the RUN removed the directory
      const io::UniqueFd aside = open_aside();
      move_entry(aside.get(), fmt::format("{}", placed_.size() - 1), parent, placed.name);
    }
  }
  if (placed.points) placed.points->clear();
  if (placed.moved_aside) renew_stamps(placed.mount.target);
}

// Moving changes ctimes, and inodes where it meant copying; that is no change of the RUN's.
void PlacedMounts::renew_stamps(const std::string& path) {
  std::vector<std::pair<std::string, DiskStamp>> renewed;
  tree_.walk(path, [&](const std::string& below, const Node& node) {
    struct stat status{};
    if (!node.stamp.on_disk() || fstatat(root_, below.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0) return true;
    DiskStamp now = stamp_of(status);
    DiskStamp then = node.stamp;
    then.inode = now.inode;
    then.ctime_ns = now.ctime_ns;
    if (node.is_directory()) then.size = now.size;
    if (then == now) renewed.emplace_back(below, now);
    return true;
  });
  for (const auto& [below, stamp] : renewed) {
    tree_.update(below, [&](Node& node) { node.stamp = stamp; });
  }
}

}  // namespace kiln::engine
