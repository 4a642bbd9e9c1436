#include "engine/context/file_memory.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <utility>

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "io/base/error.hpp"
#include "io/base/fd.hpp"
#include "io/file/make_directories.hpp"
#include "oci/output/new_file.hpp"

namespace kiln::engine {

namespace {

constexpr std::size_t no_limit = SIZE_MAX;

std::uint16_t today() {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return static_cast<std::uint16_t>(std::chrono::duration_cast<std::chrono::hours>(now).count() / 24);
}

// Errors: io::Error(unsupported) for what is not to be believed; filesystem.
std::vector<std::byte> read_trusted(int file, std::size_t limit) {
  struct stat status{};
  if (fstat(file, &status) != 0) io::throw_errno(errno, "reading it");
  if (!S_ISREG(status.st_mode)) throw io::Error(io::ErrorKind::unsupported, "it is no file");
  if ((status.st_uid != geteuid() && status.st_uid != 0) || (status.st_mode & S_IWOTH) != 0) {
    throw io::Error(io::ErrorKind::unsupported, "others may write to it");
  }
  const auto size = static_cast<std::size_t>(status.st_size);
  if (size > limit) throw io::Error(io::ErrorKind::unsupported, fmt::format("it has {} bytes", size));
  std::vector<std::byte> bytes(size);
  for (std::size_t at = 0; at < size;) {
    const ssize_t count = read(file, bytes.data() + at, size - at);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) io::throw_errno(errno, "reading it");
    if (count == 0) break;
    at += static_cast<std::size_t>(count);
  }
  return bytes;
}

}  // namespace

FileMemory::FileMemory(std::string path, std::size_t limit) : path_(std::move(path)), limit_(limit) {}

std::vector<KnownFile> FileMemory::read_file() {
  if (path_.empty()) return {};
  const io::UniqueFd file(open(path_.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!file) {
    if (errno != ENOENT && errno != ENOTDIR) spdlog::warn("'{}' is not used: {}", path_, std::strerror(errno));
    return {};
  }
  try {
    return parse_known_files(read_trusted(file.get(), 2 * largest_file_memory));
  } catch (const io::Error& error) {
    may_write_ = error.kind() == io::ErrorKind::integrity;
    const auto level = std::exchange(told_, true) ? spdlog::level::debug : spdlog::level::warn;
    spdlog::log(level, "'{}' is not used: {}; {}", path_, error.message(),
                may_write_ ? "it is written anew" : "delete it, or name another directory");
  }
  return {};
}

std::shared_ptr<const KnownFiles> FileMemory::files() {
  const std::lock_guard lock(mutex_);
  if (!files_) files_ = std::make_shared<const KnownFiles>(read_file());
  return files_;
}

void FileMemory::add(std::vector<KnownFile> read) {
  if (read.empty()) return;
  for (auto& file : read) file.used = today();
  std::ranges::sort(read, before);
  const auto repeated = std::ranges::unique(read, [](const KnownFile& a, const KnownFile& b) { return !before(a, b); });
  read.erase(repeated.begin(), repeated.end());
  const std::shared_ptr<const KnownFiles> known = files();
  const std::lock_guard lock(mutex_);
  fresh_ = merge_known_files(read, fresh_, 0, no_limit);
  // What was found so far is not forgotten with the table that it was found in.
  fresh_ = merge_known_files(fresh_, known->used(today()), 0, no_limit);
  files_ = std::make_shared<const KnownFiles>(merge_known_files(fresh_, known->all(), 0, no_limit));
}

void FileMemory::save() {
  const std::shared_ptr<const KnownFiles> known = files();
  const std::lock_guard lock(mutex_);
  if (path_.empty() || !may_write_) return;
  const std::vector<KnownFile> learnt = merge_known_files(fresh_, known->used(today()), 0, no_limit);
  if (learnt.empty()) return;
  try {
    // Another builder may have replaced it meanwhile.
    const std::vector<KnownFile> there = read_file();
    if (!may_write_) return;
    const std::string directory = std::filesystem::path(path_).parent_path();
    io::make_directories(directory);
    if (access(directory.c_str(), W_OK) != 0) {  // it may be mounted read-only on purpose
      spdlog::debug("what the context's files hold is not remembered: '{}': {}", directory, std::strerror(errno));
      return;
    }
    oci::write_text_file(path_, serialize(merge_known_files(learnt, there, today(), limit_)));
    fresh_.clear();
  } catch (const io::Error& error) {
    spdlog::warn("what the context's files hold is not remembered: {}", error.message());
  }
}

}  // namespace kiln::engine
