#include "engine/rootfs/spread_directory.hpp"

#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>

#include <fmt/format.h>

#include "io/base/fd.hpp"
#include "io/file/make_directories.hpp"

namespace kiln::engine {

namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

constexpr int most_tries = 8;
constexpr auto slow_creation = std::chrono::microseconds(100);  // 10 where no inode is in the way

bool spread_children(const std::string& path) {
  const io::UniqueFd directory(open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  int flags = 0;
  if (!directory || ioctl(directory.get(), FS_IOC_GETFLAGS, &flags) != 0) return false;
  flags |= FS_TOPDIR_FL;
  return ioctl(directory.get(), FS_IOC_SETFLAGS, &flags) == 0;
}

Clock::duration creation_time(const std::string& directory) {
  const auto create = [](const std::string& name) {
    const auto begin = Clock::now();
    const io::UniqueFd file(open(name.c_str(), O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600));
    return Clock::now() - begin;
  };
  const std::string first = directory + "/first";
  const std::string second = directory + "/second";
  create(first);  // may have to read the group's bitmap from the disk
  const auto duration = create(second);
  unlink(first.c_str());
  unlink(second.c_str());
  return duration;
}

}  // namespace

std::string make_spread_directory(const std::string& path) {
  const std::string parent = fs::path(path).parent_path();
  io::make_directories(parent);
  if (!spread_children(parent)) {
    io::make_directories(path);
    return path;
  }
  std::string candidate = path;
  for (int number = 1;; ++number) {
    io::make_directories(candidate);
    if (number == most_tries || creation_time(candidate) < slow_creation) return candidate;
    rmdir(candidate.c_str());
    candidate = fmt::format("{}.{}", path, number);
  }
}

}  // namespace kiln::engine
