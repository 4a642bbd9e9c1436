#include "engine/rootfs/move_aside.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <vector>

#include <fmt/format.h>

#include "io/base/error.hpp"
#include "io/file/directory_names.hpp"

namespace kiln::engine {

namespace {

constexpr int open_flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;

std::vector<std::string> names_in(int directory) {
  std::vector<std::string> names;
  const int error = io::list_names(directory, names);
  if (error != 0) io::throw_errno(error, "reading a directory of the root file system");
  return names;
}

class TreeMover {
 public:
  TreeMover(const ProtectedPaths& keep, const TreeMove& move) : keep_(keep), move_(move) {}

  void move_children(int from, int to, const std::string& path) {
    for (const auto& name : names_in(from)) {
      const std::string child = path.empty() ? name : path + "/" + name;
      if (keep_.covers(child)) continue;
      if (keep_.below(child) || !move_whole(from, to, name, child)) merge(from, to, name, child);
    }
  }

 private:
  [[noreturn]] static void fail(int error, const std::string& path) { io::throw_errno(error, fmt::format("moving '/{}'", path)); }

  static int rename_to(int from, int to, const std::string& name, bool replace) {
    if (replace) return renameat(from, name.c_str(), to, name.c_str()) == 0 ? 0 : errno;
    if (renameat2(from, name.c_str(), to, name.c_str(), RENAME_NOREPLACE) == 0) return 0;
    if (errno != EINVAL) return errno;
    // A file system that does not know the flag.
    struct stat status{};
    if (fstatat(to, name.c_str(), &status, AT_SYMLINK_NOFOLLOW) == 0) return EEXIST;
    return renameat(from, name.c_str(), to, name.c_str()) == 0 ? 0 : errno;
  }

  // False when it has to be done entry by entry.
  bool move_whole(int from, int to, const std::string& name, const std::string& path) {
    int error = rename_to(from, to, name, move_.replace);
    if (error == ENOTDIR || error == EISDIR) {  // a file where a directory comes, or the other way round
      if (!move_.replace || !remove_recursively(to, name, path, keep_)) return true;
      error = rename_to(from, to, name, true);
    }
    if (error == EBUSY || error == ENOENT) return true;  // a mount point that appeared meanwhile; gone
    if (error == EXDEV || error == EEXIST || error == ENOTEMPTY) return false;
    if (error != 0) fail(error, path);
    if (move_.moved) move_.moved(path, to);
    return true;
  }

  // The directory at the target, made if it was not there; null: something else is there and stays.
  io::UniqueFd target_directory(int to, const std::string& name, const std::string& path, bool& made) {
    made = mkdirat(to, name.c_str(), 0700) == 0;
    if (!made && errno != EEXIST) fail(errno, path);
    io::UniqueFd target(openat(to, name.c_str(), open_flags));
    if (target || !move_.replace) return target;
    if (!remove_recursively(to, name, path, keep_) || mkdirat(to, name.c_str(), 0700) != 0) fail(EEXIST, path);
    made = true;
    return io::UniqueFd(openat(to, name.c_str(), open_flags));
  }

  void merge(int from, int to, const std::string& name, const std::string& path) {
    const io::UniqueFd source(openat(from, name.c_str(), open_flags));
    if (!source) {
      if (!move_.replace || keep_.below(path)) return;
      fail(errno == ENOTDIR || errno == ELOOP ? EXDEV : errno, path);
    }
    bool made = false;
    const io::UniqueFd target = target_directory(to, name, path, made);
    if (!target) return;
    struct stat status{};
    fstat(source.get(), &status);
    move_children(source.get(), target.get(), path);
    if (made) {
      if (fchown(target.get(), status.st_uid, status.st_gid) == 0 || status.st_uid == geteuid())
        fchmod(target.get(), status.st_mode & 07777);
      const timespec times[2] = {status.st_atim, status.st_mtim};
      futimens(target.get(), times);
    }
    if (move_.merged) move_.merged(path);
    unlinkat(from, name.c_str(), AT_REMOVEDIR);  // stays where something protected is in it
  }

  const ProtectedPaths& keep_;
  const TreeMove& move_;
};

}  // namespace

void move_tree(int from, int to, const ProtectedPaths& keep, const TreeMove& move) {
  TreeMover(keep, move).move_children(from, to, "");
}

void empty_root(int root, const ProtectedPaths& keep) {
  for (const auto& name : names_in(root)) remove_recursively(root, name, name, keep);
}

}  // namespace kiln::engine
