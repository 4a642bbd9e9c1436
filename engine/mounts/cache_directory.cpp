#include "engine/mounts/cache_directory.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <filesystem>

#include <fmt/format.h>

#include "io/base/error.hpp"
#include "io/loop/notify.hpp"
#include "oci/image/digest.hpp"

namespace kiln::engine {

namespace {

namespace fs = std::filesystem;

void make_root(const std::string& root) {
  std::error_code error;
  fs::create_directories(fs::path(root).parent_path(), error);
  mkdir(root.c_str(), 0711);
  struct stat status{};
  if (lstat(root.c_str(), &status) != 0) io::throw_errno(errno, fmt::format("making the directory for cache mounts '{}'", root));
  if (!S_ISDIR(status.st_mode) || status.st_uid != geteuid()) {
    throw io::Error(
        io::ErrorKind::filesystem,
        fmt::format("the directory for cache mounts '{}' belongs to somebody else; choose another with --cache-dir", root));
  }
}

// Invalid: it exists and is locked otherwise.
io::UniqueFd try_lock(const std::string& path, int operation) {
  mkdir(path.c_str(), 0711);
  io::UniqueFd file(open((path + "/lock").c_str(), O_CREAT | O_RDWR | O_CLOEXEC, 0600));
  if (!file) io::throw_errno(errno, fmt::format("opening the lock of cache mount '{}'", path));
  if (flock(file.get(), operation | LOCK_NB) == 0) return file;
  if (errno != EWOULDBLOCK) io::throw_errno(errno, fmt::format("locking cache mount '{}'", path));
  return {};
}

}  // namespace

std::string CacheKey::hash() const {
  const std::string text = fmt::format("{}\n{}\n{:o} {} {}\n", id, seed, mode, uid, gid);
  return std::string(oci::Digest::of(io::as_bytes(text)).hex());
}

bool CacheDirectory::filled() const {
  struct stat status{};
  return lstat(data().c_str(), &status) == 0 && S_ISDIR(status.st_mode);
}

std::string CacheDirectory::fresh() const {
  std::string path = path_ + "/new-XXXXXX";
  if (!mkdtemp(path.data())) io::throw_errno(errno, fmt::format("making a directory in cache mount '{}'", path_));
  return path;
}

void CacheDirectory::adopt(const std::string& fresh) const {
  if (renameat2(AT_FDCWD, fresh.c_str(), AT_FDCWD, data().c_str(), RENAME_NOREPLACE) == 0) return;
  const int error = errno;
  if (!filled() && rename(fresh.c_str(), data().c_str()) == 0) return;
  std::error_code ignored;
  fs::remove_all(fresh, ignored);
  if (!filled()) io::throw_errno(error, fmt::format("filling cache mount '{}'", path_));
}

io::Task<std::unique_ptr<CacheDirectory>> open_cache(std::string root, CacheKey key, Mount::Sharing sharing,
                                                     std::function<void()> on_wait) {
  make_root(root);
  const std::string path = root + "/" + key.hash();
  const auto started = std::chrono::steady_clock::now();
  bool told = false;
  for (int instance = 0;;) {
    const std::string at = instance == 0 ? path : fmt::format("{}-{}", path, instance);
    io::UniqueFd lock = try_lock(at, sharing == Mount::Sharing::shared ? LOCK_SH : LOCK_EX);
    if (lock) co_return std::make_unique<CacheDirectory>(at, std::move(lock));
    if (sharing == Mount::Sharing::private_) {
      ++instance;
      continue;
    }
    if (!told && std::chrono::steady_clock::now() - started > std::chrono::seconds(1)) {
      told = true;
      on_wait();
    }
    co_await io::sleep_for(std::chrono::milliseconds(20));
  }
}

std::unique_ptr<CacheDirectory> try_open_cache(const std::string& path) {
  io::UniqueFd lock = try_lock(path, LOCK_SH);
  return lock ? std::make_unique<CacheDirectory>(path, std::move(lock)) : nullptr;
}

}  // namespace kiln::engine
