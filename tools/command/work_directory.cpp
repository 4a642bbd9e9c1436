#include "tools/command/work_directory.hpp"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <string>

#include <fmt/format.h>

#include "engine/rootfs/disk_writer.hpp"
#include "io/base/error.hpp"

namespace kiln::tools {

namespace {

namespace fs = std::filesystem;

// A process in a session of its own; nothing of ours stays open in it.
pid_t start_deletion(const std::string& trash) {
  const pid_t pid = fork();
  if (pid != 0) return pid;
  setsid();
  const int null = open("/dev/null", O_RDWR);
  for (int fd = 0; fd < 3; ++fd) dup2(null, fd);
  const std::string name(empty_trash_name);
  execl("/proc/self/exe", "kiln", name.c_str(), trash.c_str(), static_cast<char*>(nullptr));
  _exit(1);
}

}  // namespace

WorkDirectory::WorkDirectory(const std::string& base) : base_(base) {
  std::error_code error;
  fs::create_directories(base, error);
  std::string path = base + "/kiln-XXXXXX";
  if (!mkdtemp(path.data())) io::throw_errno(errno, fmt::format("making a work directory in '{}'", base));
  // A RUN's user must be able to pass through to the root file system.
  chmod(path.c_str(), 0711);
  path_ = path;
}

WorkDirectory::~WorkDirectory() {
  std::error_code error;
  const std::string trash = fmt::format("{}/kiln-trash-{}", base_, path_.substr(path_.find_last_of('-') + 1));
  fs::rename(path_, trash, error);
  const pid_t pid = start_deletion(error ? path_ : trash);
  const char* wait = std::getenv("KILN_FOREGROUND_CLEANUP");
  if (pid > 0 && wait && std::string(wait) == "1") waitpid(pid, nullptr, 0);
}

int empty_trash_main(const char* directory) {
  const fs::path path(directory);
  const std::string name = path.filename();
  if (!name.starts_with("kiln-") || !path.is_absolute()) return 1;
  setpriority(PRIO_PROCESS, 0, 19);
  const int parent = open(path.parent_path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (parent < 0) return 1;
  try {
    engine::remove_recursively(parent, name, name, engine::ProtectedPaths());
  } catch (const io::Error&) {
    return 1;
  }
  return 0;
}

}  // namespace kiln::tools
