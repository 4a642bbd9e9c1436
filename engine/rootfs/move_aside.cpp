#include "engine/rootfs/move_aside.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>
#include <vector>

#include <fmt/format.h>

#include "io/base/error.hpp"

namespace kiln::engine {

namespace {

std::vector<std::string> names_in(int directory) {
  std::vector<std::string> names;
  const int fd = openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) io::throw_errno(errno, "reading a directory of the root file system");
  const std::unique_ptr<DIR, int (*)(DIR*)> stream(fdopendir(fd), closedir);
  while (const dirent* entry = readdir(stream.get())) {
    if (std::strcmp(entry->d_name, ".") != 0 && std::strcmp(entry->d_name, "..") != 0) names.emplace_back(entry->d_name);
  }
  return names;
}

void move_children(int from, int to, const std::string& path, const ProtectedPaths& keep);

// A directory that has to be moved entry by entry; removed afterwards if nothing stayed.
void move_directory(int from, int to, const std::string& name, const std::string& path, const ProtectedPaths& keep) {
  const io::UniqueFd source(openat(from, name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!source) io::throw_errno(errno, fmt::format("moving '/{}' aside", path));
  struct stat status{};
  fstat(source.get(), &status);
  if (mkdirat(to, name.c_str(), 0700) != 0 && errno != EEXIST) io::throw_errno(errno, fmt::format("moving '/{}' aside", path));
  const io::UniqueFd target(openat(to, name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!target) io::throw_errno(errno, fmt::format("moving '/{}' aside", path));
  if (fchown(target.get(), status.st_uid, status.st_gid) == 0) fchmod(target.get(), status.st_mode & 07777);
  move_children(source.get(), target.get(), path, keep);
  unlinkat(from, name.c_str(), AT_REMOVEDIR);
}

void move_children(int from, int to, const std::string& path, const ProtectedPaths& keep) {
  for (const auto& name : names_in(from)) {
    const std::string child = path.empty() ? name : path + "/" + name;
    if (keep.covers(child)) continue;
    if (keep.below(child)) {
      move_directory(from, to, name, child, keep);
    } else if (renameat(from, name.c_str(), to, name.c_str()) != 0) {
      if (errno == EBUSY) continue;  // a mount point that appeared meanwhile
      if (errno != EXDEV) io::throw_errno(errno, fmt::format("moving '/{}' aside", child));
      move_directory(from, to, name, child, keep);
    }
  }
}

}  // namespace

void move_tree_aside(int from, int to, const ProtectedPaths& keep) { move_children(from, to, "", keep); }

void empty_root(int root, const ProtectedPaths& keep) {
  for (const auto& name : names_in(root)) remove_recursively(root, name, name, keep);
}

}  // namespace kiln::engine
