#include "engine/rootfs/spread_directory.hpp"

#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdio>
#include <ctime>
#include <filesystem>
#include <optional>

#include <fmt/format.h>

#include "io/base/error.hpp"
#include "io/base/fd.hpp"
#include "io/file/make_directories.hpp"

namespace kiln::engine {

namespace {

namespace fs = std::filesystem;
using std::chrono::nanoseconds;

constexpr int most_tries = 8;

// Directories that were slow to make for another reason since it last helped to make one elsewhere: on some file systems all are,
// and looking into that costs more than it brings.
std::atomic<int> in_vain = 0;
constexpr int most_in_vain = 32;

// Of this thread: waiting for a disk or for a processor is not what tells of inodes in the way.
nanoseconds cpu_time() {
  timespec time{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return std::chrono::seconds(time.tv_sec) + nanoseconds(time.tv_nsec);
}

// Has ext4 spread what is made in a directory, as long as it lives.
class Spreading {
 public:
  explicit Spreading(int directory) : directory_(openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC)) {
    if (!directory_ || ioctl(directory_.get(), FS_IOC_GETFLAGS, &before_) != 0) return;
    int flags = before_ | FS_TOPDIR_FL;
    works_ = ioctl(directory_.get(), FS_IOC_SETFLAGS, &flags) == 0;
  }
  Spreading(const Spreading&) = delete;
  Spreading& operator=(const Spreading&) = delete;
  ~Spreading() {
    if (works_) ioctl(directory_.get(), FS_IOC_SETFLAGS, &before_);
  }

  bool works() const noexcept { return works_; }

 private:
  io::UniqueFd directory_;
  int before_ = 0;
  bool works_ = false;
};

// What the directory's first file costs; a mere mkdir may have been slow by chance.
bool creates_slowly(int parent, const std::string& name, nanoseconds slow) {
  const std::string probe = name + "/.kiln-probe";
  const nanoseconds begin = cpu_time();
  const io::UniqueFd file(openat(parent, probe.c_str(), O_CREAT | O_EXCL | O_WRONLY | O_NOFOLLOW | O_CLOEXEC, 0600));
  const bool slowly = cpu_time() - begin >= slow;
  if (file) unlinkat(parent, probe.c_str(), 0);
  return slowly;
}

// Nothing: there is no directory, and errno tells why. False: it stands among freed inodes.
std::optional<bool> make_fast(int parent, const std::string& name, mode_t mode, nanoseconds slow) {
  const nanoseconds begin = cpu_time();
  if (mkdirat(parent, name.c_str(), mode) != 0) return std::nullopt;
  if (cpu_time() - begin < slow) return true;
  if (creates_slowly(parent, name, slow)) return false;
  ++in_vain;
  return true;
}

// In place of the empty directory `name`. Where no place is better, that stays.
void move_elsewhere(int parent, const std::string& name, mode_t mode, nanoseconds slow) {
  const Spreading spreading(parent);
  if (!spreading.works()) {
    in_vain = most_in_vain;
    return;
  }
  for (int number = 1; number <= most_tries; ++number) {
    // Its hash decides, so each build has its own.
    const std::string other = fmt::format(".kiln-{}-{:x}", name, std::chrono::steady_clock::now().time_since_epoch().count());
    const auto fast = make_fast(parent, other, mode, slow);
    if (!fast) return;
    if (*fast && renameat(parent, other.c_str(), parent, name.c_str()) == 0) {
      in_vain = 0;
      return;
    }
    unlinkat(parent, other.c_str(), AT_REMOVEDIR);
  }
  in_vain += most_tries;
}

}  // namespace

int make_spread_directory(int parent, const std::string& name, mode_t mode, nanoseconds slow) {
  if (in_vain >= most_in_vain) return mkdirat(parent, name.c_str(), mode);
  const auto fast = make_fast(parent, name, mode, slow);
  if (!fast) return -1;
  if (!*fast) move_elsewhere(parent, name, mode, slow);
  return 0;
}

void make_spread_directory(const std::string& path) {
  const fs::path full = path;
  io::make_directories(full.parent_path());
  const io::UniqueFd parent(open(full.parent_path().c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));  // it may be one that only lets in
  if (!parent) io::throw_errno(errno, fmt::format("opening directory '{}'", full.parent_path().string()));
  const Spreading spreading(parent.get());
  if (make_spread_directory(parent.get(), full.filename(), 0777) != 0 && errno != EEXIST) {
    io::throw_errno(errno, fmt::format("making directory '{}'", path));
  }
}

}  // namespace kiln::engine
