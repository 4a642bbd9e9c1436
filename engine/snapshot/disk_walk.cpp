#include "engine/snapshot/disk_walk.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <sys/sysmacros.h>

#include <cerrno>
#include <condition_variable>
#include <mutex>

#include <fmt/format.h>

#include "engine/rootfs/entry_writer.hpp"
#include "io/base/error.hpp"
#include "io/file/open_beneath.hpp"
#include "io/loop/task_group.hpp"

namespace kiln::engine {

namespace {

// Directories that wait for a thread. A walk ends when none waits and none is being read.
class WorkList {
 public:
  explicit WorkList(std::string first) { waiting_.push_back(std::move(first)); }

  // The next directory; false at the end of the walk.
  bool take(std::string& path) {
    std::unique_lock lock(mutex_);
    return take(lock, path);
  }

  // The same for a thread that has read one and found others in it.
  bool exchange(std::vector<std::string>& found, std::string& path) {
    std::unique_lock lock(mutex_);
    --reading_;
    std::move(found.begin(), found.end(), std::back_inserter(waiting_));
    found.clear();
    return take(lock, path);
  }

  void fail() {
    const std::lock_guard lock(mutex_);
    failed_ = true;
    changed_.notify_all();
  }

 private:
  bool take(std::unique_lock<std::mutex>& lock, std::string& path) {
    while (waiting_.empty() && reading_ > 0 && !failed_) {
      ++idle_;
      changed_.wait(lock);
      --idle_;
    }
    if (waiting_.empty() || failed_) {
      changed_.notify_all();
      return false;
    }
    path = std::move(waiting_.back());
    waiting_.pop_back();
    ++reading_;
    if (idle_ > 0 && !waiting_.empty()) changed_.notify_one();
    return true;
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::string> waiting_;  // guarded by mutex_, as are the following
  unsigned reading_ = 0;
  unsigned idle_ = 0;
  bool failed_ = false;
};

void walk(int root, const ProtectedPaths& keep, WorkList& work, DiskVisitor& visitor) {
  DiskReader reader(root, keep);
  std::string path;
  std::vector<std::string> below;
  try {
    for (bool more = work.take(path); more; more = work.exchange(below, path)) reader.read(path, visitor, below);
  } catch (...) {
    work.fail();
    throw;
  }
}

io::Task<void> run_worker(io::Runtime& runtime, int root, const ProtectedPaths& keep, WorkList& work, DiskVisitor& visitor) {
  auto walking = [root, &keep, &work, &visitor] { walk(root, keep, work, visitor); };
  co_await io::offload(runtime.cpu(), walking);
}

}  // namespace

DiskEntry disk_entry(std::string path, const struct stat& status) {
  DiskEntry entry;
  entry.path = std::move(path);
  entry.stamp = stamp_of(status);
  entry.device = status.st_dev;
  entry.links = status.st_nlink;
  entry.device_major = major(status.st_rdev);
  entry.device_minor = minor(status.st_rdev);
  return entry;
}

std::string join_path(std::string_view directory, std::string_view name) {
  std::string path;
  path.reserve(directory.size() + 1 + name.size());
  path.append(directory);
  if (!directory.empty()) path += '/';
  path.append(name);
  return path;
}

bool DiskReader::read(const std::string& path, DiskVisitor& visitor, std::vector<std::string>& below) {
  io::UniqueFd fd = io::open_beneath(root_, path, O_RDONLY | O_DIRECTORY | O_NOATIME);
  if (!fd && errno == EPERM) fd = io::open_beneath(root_, path, O_RDONLY | O_DIRECTORY);
  if (!fd && (errno == ENOENT || errno == ENOTDIR || errno == ELOOP)) return false;
  if (!fd) io::throw_errno(errno, fmt::format("reading directory '/{}' of the root file system", path));
  const int number = fd.get();
  const bool ask = keep_.below(path);
  visitor.enter(path);
  const auto visit = [&](const io::DirectoryName& name) {
    if (ask && keep_.covers(join_path(path, name.text))) return;
    if (name.type == DT_SOCK) return visitor.socket(name.text);
    struct stat status{};
    if (fstatat(number, name.text.data(), &status, AT_SYMLINK_NOFOLLOW) != 0) {
      if (errno == ENOENT) return;
      io::throw_errno(errno, fmt::format("reading the state of '/{}'", join_path(path, name.text)));
    }
    if (S_ISSOCK(status.st_mode)) return visitor.socket(name.text);
    visitor.entry(name.text, status);
    if (S_ISDIR(status.st_mode)) below.push_back(join_path(path, name.text));
  };
  const int error = names_.read(number, visit);
  if (error != 0) io::throw_errno(error, fmt::format("reading directory '/{}' of the root file system", path));
  visitor.leave(number);
  return true;
}

io::Task<void> walk_disk(io::Runtime& runtime, int root, const ProtectedPaths& keep, std::vector<DiskVisitor*> visitors) {
  WorkList work("");
  io::TaskGroup group(runtime.executor());
  for (DiskVisitor* visitor : visitors) group.spawn(run_worker(runtime, root, keep, work, *visitor));
  co_await group.join();
}

}  // namespace kiln::engine
