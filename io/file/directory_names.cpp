#include "io/file/directory_names.hpp"

#include <dirent.h>
#include <fcntl.h>

#include <cerrno>

#include "io/base/fd.hpp"

namespace kiln::io {

namespace {

constexpr std::size_t buffer_size = 64U << 10U;

}  // namespace

int DirectoryNames::read(int directory, const std::function<void(const DirectoryName& name)>& visit) {
  buffer_.resize(buffer_size);
  while (true) {
    const ssize_t size = getdents64(directory, buffer_.data(), buffer_.size());
    if (size < 0) return errno;
    if (size == 0) return 0;
    for (std::size_t at = 0; at < static_cast<std::size_t>(size);) {
      const auto* entry = reinterpret_cast<const dirent64*>(buffer_.data() + at);
      at += entry->d_reclen;
      const DirectoryName name{entry->d_name, entry->d_type};
      if (name.text != "." && name.text != "..") visit(name);
    }
  }
}

int list_names(int directory, std::vector<std::string>& names) {
  const UniqueFd anew(openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!anew) return errno;
  return DirectoryNames().read(anew.get(), [&names](const DirectoryName& name) { names.emplace_back(name.text); });
}

}  // namespace kiln::io
