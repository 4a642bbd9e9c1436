#include "io/file/writable.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>

#include <fmt/format.h>

#include "io/base/error.hpp"
#include "io/base/fd.hpp"

namespace kiln::io {

namespace {

namespace fs = std::filesystem;

[[noreturn]] void refuse(const std::string& path, const std::string& reason) {
  throw Error(ErrorKind::filesystem, fmt::format("'{}' cannot be written: {}", path, reason));
}

// Only making something tells: access() knows nothing of /proc, quotas and what a mount forbids.
void try_directory(const std::string& path, const fs::path& directory) {
  struct stat status{};
  const std::string name = directory.empty() ? "." : directory.string();
  if (stat(name.c_str(), &status) != 0) refuse(path, fmt::format("{}: {}", name, std::strerror(errno)));
  if (!S_ISDIR(status.st_mode)) refuse(path, fmt::format("{} is no directory", name));
  std::string probe = name + "/.kiln-XXXXXX";
  const UniqueFd file(mkstemp(probe.data()));
  if (!file) refuse(path, fmt::format("nothing can be made in {}: {}", name, std::strerror(errno)));
  unlink(probe.c_str());
}

// The nearest of the path and its parents that is there.
fs::path nearest(fs::path path) {
  struct stat status{};
  while (!path.empty() && stat(path.c_str(), &status) != 0 && errno == ENOENT) {
    if (path == path.parent_path()) break;
    path = path.parent_path();
  }
  return path;
}

}  // namespace

void check_writable_file(const std::string& path, MissingParents parents) {
  struct stat status{};
  if (stat(path.c_str(), &status) == 0) {
    if (S_ISDIR(status.st_mode)) refuse(path, "it is a directory");
    if (!S_ISREG(status.st_mode)) {
      if (access(path.c_str(), W_OK) != 0) refuse(path, std::strerror(errno));
      return;
    }
  }
  const fs::path directory = fs::path(path).parent_path();
  try_directory(path, parents == MissingParents::made ? nearest(directory) : directory);
}

void check_writable_directory(const std::string& path) { try_directory(path, nearest(path)); }

}  // namespace kiln::io
