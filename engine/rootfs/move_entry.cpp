#include "engine/rootfs/move_entry.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <cerrno>
#include <map>
#include <vector>

#include <fmt/format.h>

#include "io/base/error.hpp"
#include "io/base/fd.hpp"
#include "io/file/directory_names.hpp"
#include "io/file/xattrs.hpp"

namespace kiln::engine {

namespace {

[[noreturn]] void fail(const std::string& name) { io::throw_errno(errno, fmt::format("moving '{}'", name)); }

std::vector<std::string> names_in(int directory, const std::string& name) {
  std::vector<std::string> names;
  errno = io::list_names(directory, names);
  if (errno != 0) fail(name);
  return names;
}

void copy_xattrs(int from, int to) {
  const auto xattrs = io::xattrs_of(from);
  if (!xattrs) return;
  // What may not be set is left out.
  for (const auto& [name, value] : *xattrs) fsetxattr(to, name.c_str(), value.data(), value.size(), 0);
}

// Owner first: it clears set-uid bits and capabilities.
void copy_metadata(int from, int to, const struct stat& status) {
  [[maybe_unused]] const int owner = fchown(to, status.st_uid, status.st_gid);  // as far as we may
  fchmod(to, status.st_mode & 07777);
  copy_xattrs(from, to);
  const timespec times[2] = {status.st_atim, status.st_mtim};
  futimens(to, times);
}

class EntryMover {
 public:
  void move(int from, const std::string& name, int to, const std::string& to_name) {
    if (renameat(from, name.c_str(), to, to_name.c_str()) == 0) return;
    if (errno != EXDEV) fail(name);
    struct stat status{};
    if (fstatat(from, name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0) fail(name);
    if (S_ISDIR(status.st_mode)) {
      move_directory(from, name, to, to_name, status);
      return;
    }
    copy(from, name, to, to_name, status);
    if (unlinkat(from, name.c_str(), 0) != 0) fail(name);
  }

 private:
  void move_directory(int from, const std::string& name, int to, const std::string& to_name, const struct stat& status) {
    const io::UniqueFd source(openat(from, name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (!source || mkdirat(to, to_name.c_str(), 0700) != 0) fail(name);
    const io::UniqueFd target(openat(to, to_name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (!target) fail(name);
    for (const auto& child : names_in(source.get(), name)) move(source.get(), child, target.get(), child);
    copy_metadata(source.get(), target.get(), status);
    if (unlinkat(from, name.c_str(), AT_REMOVEDIR) != 0) fail(name);
  }

  void copy(int from, const std::string& name, int to, const std::string& to_name, const struct stat& status) {
    if (status.st_nlink > 1) {
      const auto [known, is_new] = links_.try_emplace({status.st_dev, status.st_ino});
      if (!is_new && linkat(known->second.get(), "", to, to_name.c_str(), AT_EMPTY_PATH) == 0) return;
      if (!is_new && link_by_path(known->second, to, to_name)) return;
    }
    if (S_ISREG(status.st_mode)) {
      copy_file(from, name, to, to_name, status);
      return;
    }
    if (S_ISLNK(status.st_mode)) {
      std::string target(4096, '\0');
      const ssize_t length = readlinkat(from, name.c_str(), target.data(), target.size() - 1);
      if (length < 0) fail(name);
      target.resize(static_cast<std::size_t>(length));
      if (symlinkat(target.c_str(), to, to_name.c_str()) != 0) fail(name);
    } else if (mknodat(to, to_name.c_str(), status.st_mode, status.st_rdev) != 0) {
      fail(name);
    }
    [[maybe_unused]] const int owner = fchownat(to, to_name.c_str(), status.st_uid, status.st_gid, AT_SYMLINK_NOFOLLOW);
    const timespec times[2] = {status.st_atim, status.st_mtim};
    utimensat(to, to_name.c_str(), times, AT_SYMLINK_NOFOLLOW);
  }

  // AT_EMPTY_PATH needs a capability that containers lack; the descriptor's own name in /proc does not.
  static bool link_by_path(const io::UniqueFd& file, int to, const std::string& to_name) {
    const std::string path = fmt::format("/proc/self/fd/{}", file.get());
    return linkat(AT_FDCWD, path.c_str(), to, to_name.c_str(), AT_SYMLINK_FOLLOW) == 0;
  }

  void copy_file(int from, const std::string& name, int to, const std::string& to_name, const struct stat& status) {
    const io::UniqueFd source(openat(from, name.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
    io::UniqueFd target(openat(to, to_name.c_str(), O_CREAT | O_EXCL | O_WRONLY | O_NOFOLLOW | O_CLOEXEC, 0600));
    if (!source || !target) fail(name);
    std::vector<char> buffer(256U << 10U);
    while (true) {
      const ssize_t count = read(source.get(), buffer.data(), buffer.size());
      if (count < 0) fail(name);
      if (count == 0) break;
      for (ssize_t done = 0; done < count;) {
        const ssize_t written = write(target.get(), buffer.data() + done, static_cast<std::size_t>(count - done));
        if (written < 0) fail(name);
        done += written;
      }
    }
    copy_metadata(source.get(), target.get(), status);
    if (status.st_nlink > 1) links_[{status.st_dev, status.st_ino}] = std::move(target);
  }

  std::map<std::pair<dev_t, ino_t>, io::UniqueFd> links_;  // copies of files with several names
};

}  // namespace

void move_entry(int from, const std::string& name, int to, const std::string& to_name) {
  EntryMover().move(from, name, to, to_name);
}

}  // namespace kiln::engine
