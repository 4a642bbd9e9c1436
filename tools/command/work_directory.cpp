#include "tools/command/work_directory.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <string>
#include <utility>

#include <fmt/format.h>

#include "engine/rootfs/disk_writer.hpp"
#include "io/base/error.hpp"
#include "io/process/child.hpp"

namespace kiln::tools {

namespace {

namespace fs = std::filesystem;

constexpr const char* awaited_mode = "awaited";

// A process in a session of its own; nothing of ours stays open in it. It gives way to others unless somebody waits for it.
pid_t start_deletion(const std::string& trash, bool awaited) {
  const pid_t pid = fork();
  if (pid != 0) return pid;
  setsid();
  const int null = open("/dev/null", O_RDWR);
  for (int fd = 0; fd < 3; ++fd) dup2(null, fd);
  const std::string name(empty_trash_name);
  const char* mode = awaited ? awaited_mode : nullptr;
  execl("/proc/self/exe", "kiln", name.c_str(), trash.c_str(), mode, static_cast<char*>(nullptr));
  _exit(1);
}

// An open directory that nobody else has locked, locked now; null: somebody has.
io::UniqueFd lock_directory(const std::string& path) {
  io::UniqueFd fd(open(path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (fd && flock(fd.get(), LOCK_EX | LOCK_NB) != 0) fd = io::UniqueFd();
  return fd;
}

constexpr std::string_view work_prefix = "kiln-";
constexpr std::string_view trash_prefix = "kiln-trash-";

bool is_ours(const std::string& name, std::string_view prefix) {
  constexpr std::size_t random = 6;
  return name.size() == prefix.size() + random && name.starts_with(prefix) &&
         std::all_of(name.begin() + prefix.size(), name.end(), [](unsigned char letter) { return std::isalnum(letter) != 0; });
}

std::string move_to_trash(const std::string& path) {
  const auto slash = path.find_last_of('/');
  const std::string trash = fmt::format("{}/{}{}", path.substr(0, slash), trash_prefix, path.substr(path.find_last_of('-') + 1));
  std::error_code error;
  fs::rename(path, trash, error);
  return error ? path : trash;
}

// Of builds that were killed, and of deletions: in a pod they end with the executor, and the place may outlive the pod.
void delete_leftovers(const std::string& base) {
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(base, ignored)) {
    struct stat status{};
    const std::string path = entry.path();
    const std::string name = entry.path().filename();
    const bool trash = is_ours(name, trash_prefix);
    if ((!trash && !is_ours(name, work_prefix)) || lstat(path.c_str(), &status) != 0) continue;
    if (!S_ISDIR(status.st_mode) || status.st_uid != geteuid() || !lock_directory(path)) continue;
    const pid_t pid = start_deletion(trash ? path : move_to_trash(path), false);
    if (pid > 0) io::spare_child(pid);
  }
}

// A new work directory and its lock. It gets a name that delete_leftovers() knows when it is locked, and not before: another
// build that starts at this moment would take it for a leftover. Empty where none can be made; errno says why.
std::pair<std::string, io::UniqueFd> make_locked(const std::string& base) {
  std::string fresh = base + "/kiln-new-XXXXXX";
  if (!mkdtemp(fresh.data())) return {};
  io::UniqueFd lock = lock_directory(fresh);
  // A RUN's user must be able to pass through to the root file system.
  chmod(fresh.c_str(), 0711);
  const std::string path = base + "/kiln-" + fresh.substr(fresh.size() - 6);
  if (rename(fresh.c_str(), path.c_str()) == 0) return {path, std::move(lock)};
  const int error = errno;
  rmdir(fresh.c_str());
  errno = error;
  return {};
}

}  // namespace

WorkDirectory::WorkDirectory(const std::vector<std::string>& bases) {
  std::string refused;
  for (const auto& base : bases) {
    std::error_code ignored;
    fs::create_directories(base, ignored);
    delete_leftovers(base);
    auto [path, lock] = make_locked(base);
    if (path.empty()) {
      refused += fmt::format("{}{}: {}", refused.empty() ? "" : "; ", base, std::strerror(errno));
      continue;
    }
    lock_ = std::move(lock);
    base_ = base;
    path_ = std::move(path);
    return;
  }
  throw io::Error(
      io::ErrorKind::filesystem,
      fmt::format("there is no place to work in ({}): mount an emptyDir at /kaniko/work, or name a directory by --work-dir",
                  refused));
}

WorkDirectory::~WorkDirectory() {
  lock_.reset();  // it is the deleting process's now
  const char* wait = std::getenv("KILN_FOREGROUND_CLEANUP");
  const bool awaited = foreground_ || (wait && std::string(wait) == "1");
  const pid_t pid = start_deletion(move_to_trash(path_), awaited);
  if (pid > 0 && awaited) waitpid(pid, nullptr, 0);
}

int empty_trash_main(const char* directory, const char* mode) {
  const fs::path path(directory);
  const std::string name = path.filename();
  if (!name.starts_with("kiln-") || !path.is_absolute()) return 1;
  const io::UniqueFd lock = lock_directory(path);
  if (!lock) return 0;  // somebody else is at it
  const bool awaited = mode && std::string_view(mode) == awaited_mode;
  if (!awaited) setpriority(PRIO_PROCESS, 0, 19);
  const io::UniqueFd parent(open(path.parent_path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!parent) return 1;
  try {
    engine::remove_recursively(parent.get(), name, name, engine::ProtectedPaths());
  } catch (const io::Error&) {
    return 1;
  }
  return 0;
}

}  // namespace kiln::tools
