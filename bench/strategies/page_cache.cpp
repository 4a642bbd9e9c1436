#include "bench/strategies/page_cache.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

#include "io/base/error.hpp"
#include "io/file/open_beneath.hpp"

namespace kiln::bench {

namespace {

constexpr const char* drop_caches = "/proc/sys/vm/drop_caches";

bool may_drop_caches() { return access(drop_caches, W_OK) == 0; }

}  // namespace

std::string chill_method() {
  return may_drop_caches() ? "drop_caches, the whole machine's pages, inodes and directories"
                           : "posix_fadvise, the pages of files only: inodes and directories stay warm";
}

void chill(const engine::Rootfs& root, const engine::Tree& tree) {
  if (syncfs(root.directories().back()->directory.get()) != 0) io::throw_errno(errno, "writing back the file system");
  const io::UniqueFd kernel(may_drop_caches() ? open(drop_caches, O_WRONLY | O_CLOEXEC) : -1);
  if (kernel) {
    if (write(kernel.get(), "3", 1) != 1) io::throw_errno(errno, "dropping the kernel's caches");
    return;
  }
  tree.walk("", [&root](const std::string& path, const engine::Node& node) {
    if (node.type != engine::FileType::regular) return true;
    const engine::Content content = root.locate(path);
    const io::UniqueFd file = io::open_beneath(content.directory->directory.get(), path, O_RDONLY | O_NONBLOCK);
    if (file) posix_fadvise(file.get(), 0, 0, POSIX_FADV_DONTNEED);
    return true;
  });
}

}  // namespace kiln::bench
