#include "io/file/make_directories.hpp"

#include <filesystem>
#include <system_error>

#include <fmt/format.h>

#include "io/base/error.hpp"

namespace kiln::io {

void make_directories(const std::string& path) {
  std::error_code error;
  std::filesystem::create_directories(path, error);
  if (error) throw Error(ErrorKind::filesystem, fmt::format("making '{}': {}", path, error.message()));
}

}  // namespace kiln::io
