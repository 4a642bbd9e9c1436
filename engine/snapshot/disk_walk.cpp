#include "engine/snapshot/disk_walk.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <algorithm>
#include <cerrno>
#include <condition_variable>
#include <cstring>
#include <memory>
#include <mutex>

#include <fmt/format.h>

#include "io/base/error.hpp"
#include "io/file/open_beneath.hpp"
#include "io/loop/task_group.hpp"

namespace kiln::engine {

namespace {

// Directories that wait for a thread. A walk ends when none waits and none is being read.
class WorkList {
 public:
  void add(std::string path) {
    {
      const std::lock_guard lock(mutex_);
      waiting_.push_back(std::move(path));
    }
    changed_.notify_one();
  }
  bool take(std::string& path) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return !waiting_.empty() || active_ == 0 || failed_; });
    if (waiting_.empty() || failed_) return false;
    path = std::move(waiting_.back());
    waiting_.pop_back();
    ++active_;
    return true;
  }
  void done(bool failed) {
    {
      const std::lock_guard lock(mutex_);
      --active_;
      failed_ = failed_ || failed;
    }
    changed_.notify_all();
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::string> waiting_;  // guarded by mutex_, as are the following
  unsigned active_ = 0;
  bool failed_ = false;
};

DiskEntry entry_of(std::string path, const struct stat& status) {
  DiskEntry entry;
  entry.path = std::move(path);
  entry.stamp = stamp_of(status);
  entry.device = status.st_dev;
  entry.links = status.st_nlink;
  entry.device_major = major(status.st_rdev);
  entry.device_minor = minor(status.st_rdev);
  return entry;
}

class Walker {
 public:
  Walker(int root, const ProtectedPaths& keep, const WalkVisitor& visitor) : root_(root), keep_(keep), visitor_(visitor) {}

  void start() {
    struct stat status{};
    if (fstat(root_, &status) != 0) io::throw_errno(errno, "reading the root file system");
    visitor_.entry(0, entry_of("", status));
    work_.add("");
  }

  void run(unsigned worker) {
    std::string path;
    while (work_.take(path)) {
      bool failed = true;
      try {
        read_directory(worker, path);
        failed = false;
      } catch (...) {
        work_.done(failed);
        throw;
      }
      work_.done(failed);
    }
  }

 private:
  void read_directory(unsigned worker, const std::string& path) {
    io::UniqueFd fd = io::open_beneath(root_, path, O_RDONLY | O_DIRECTORY | O_NOATIME);
    if (!fd && errno == EPERM) fd = io::open_beneath(root_, path, O_RDONLY | O_DIRECTORY);
    if (!fd) io::throw_errno(errno, fmt::format("reading directory '/{}' of the root file system", path));
    const int number = fd.get();
    const std::unique_ptr<DIR, int (*)(DIR*)> stream(fdopendir(fd.release()), closedir);
    DirectoryListing listing;
    listing.path = path;
    while (const dirent* item = readdir(stream.get())) {
      const std::string_view name = item->d_name;
      if (name == "." || name == ".." || item->d_type == DT_SOCK) continue;
      visit(worker, number, listing, name);
    }
    if (!visitor_.listing) return;
    std::sort(listing.names.begin(), listing.names.end());
    visitor_.listing(worker, listing);
  }

  void visit(unsigned worker, int directory, DirectoryListing& listing, std::string_view name) {
    std::string path = listing.path.empty() ? std::string(name) : fmt::format("{}/{}", listing.path, name);
    if (!keep_.empty() && keep_.covers(path)) return;
    struct stat status{};
    const std::string name_text(name);
    if (fstatat(directory, name_text.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0) {
      if (errno == ENOENT) return;
      io::throw_errno(errno, fmt::format("reading the state of '/{}'", path));
    }
    if (S_ISSOCK(status.st_mode)) return;
    listing.names.emplace_back(name);
    visitor_.entry(worker, entry_of(path, status));
    if (S_ISDIR(status.st_mode)) work_.add(std::move(path));
  }

  int root_;
  const ProtectedPaths& keep_;
  const WalkVisitor& visitor_;
  WorkList work_;
};

io::Task<void> run_worker(io::Runtime& runtime, Walker& walker, unsigned worker) {
  auto work = [&walker, worker] { walker.run(worker); };
  co_await io::offload(runtime.cpu(), work);
}

}  // namespace

io::Task<void> walk_disk(io::Runtime& runtime, int root, const ProtectedPaths& keep, WalkVisitor visitor) {
  Walker walker(root, keep, visitor);
  walker.start();
  io::TaskGroup group(runtime.executor());
  for (unsigned worker = 0; worker < runtime.cpu().size(); ++worker) group.spawn(run_worker(runtime, walker, worker));
  co_await group.join();
}

}  // namespace kiln::engine
