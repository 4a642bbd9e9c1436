#include "io/file/page_cache.hpp"

#include <fcntl.h>
#include <sys/uio.h>

#include <cerrno>

#include "io/file/open_beneath.hpp"

namespace kiln::io {

bool is_cold(int directory, const std::string& path) {
  const UniqueFd file = open_beneath(directory, path, O_RDONLY | O_NONBLOCK);
  char byte = 0;
  const iovec target{&byte, 1};
  return file && preadv2(file.get(), &target, 1, 0, RWF_NOWAIT) < 0 && errno == EAGAIN;
}

}  // namespace kiln::io
