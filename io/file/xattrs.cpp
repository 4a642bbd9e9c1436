#include "io/file/xattrs.hpp"

#include <fcntl.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstring>

#include <fmt/format.h>

namespace kiln::io {

namespace {

// Since Linux 6.13; the number is the same everywhere.
#ifdef SYS_listxattrat
constexpr long listxattrat_number = SYS_listxattrat;
#else
constexpr long listxattrat_number = 465;
#endif
std::atomic<bool> listxattrat_refused = false;

// What `read` gives: mostly nothing, rarely more than fits at first. Nothing, and errno, when it fails.
template <class Read>
std::optional<std::string> read_growing(Read read) {
  char small[1024];
  ssize_t length = read(small, sizeof small);
  if (length >= 0) return std::string(small, static_cast<std::size_t>(length));
  if (errno != ERANGE) return std::nullopt;
  std::string large(65536, '\0');  // the kernel's limit of both (limits.h, XATTR_LIST_MAX)
  length = read(large.data(), large.size());
  if (length < 0) return std::nullopt;
  large.resize(static_cast<std::size_t>(length));
  return large;
}

template <class Get>
XattrMap values_of(const std::string& names, Get get) {
  XattrMap xattrs;
  for (const char* name = names.data(); name < names.data() + names.size(); name += std::strlen(name) + 1) {
    auto value = read_growing([&](char* buffer, std::size_t size) { return get(name, buffer, size); });
    if (value) xattrs.emplace(name, std::move(*value));
  }
  return xattrs;
}

// Older calls take paths only.
std::string path_at(int directory, const char* name) { return fmt::format("/proc/self/fd/{}/{}", directory, name); }

std::optional<std::string> names_at(int directory, const char* name) {
  if (!listxattrat_refused.load(std::memory_order_relaxed)) {
    auto names = read_growing([&](char* buffer, std::size_t size) {
      return syscall(listxattrat_number, directory, name, AT_SYMLINK_NOFOLLOW, buffer, size);
    });
    if (names || (errno != ENOSYS && errno != EPERM)) return names;
    listxattrat_refused = true;
  }
  const std::string path = path_at(directory, name);
  return read_growing([&](char* buffer, std::size_t size) { return llistxattr(path.c_str(), buffer, size); });
}

}  // namespace

std::optional<XattrMap> xattrs_of(int fd) {
  const auto names = read_growing([fd](char* buffer, std::size_t size) { return flistxattr(fd, buffer, size); });
  if (!names) return std::nullopt;
  return values_of(*names, [fd](const char* name, char* buffer, std::size_t size) { return fgetxattr(fd, name, buffer, size); });
}

std::optional<XattrMap> xattrs_at(int directory, const char* name) {
  const auto names = names_at(directory, name);
  if (!names) return std::nullopt;
  if (names->empty()) return XattrMap();
  const std::string path = path_at(directory, name);
  return values_of(*names, [&path](const char* attribute, char* buffer, std::size_t size) {
    return lgetxattr(path.c_str(), attribute, buffer, size);
  });
}

}  // namespace kiln::io
