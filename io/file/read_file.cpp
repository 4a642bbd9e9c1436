#include "io/file/read_file.hpp"

#include <fstream>
#include <iterator>

namespace kiln::io {

std::optional<std::string> read_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return std::nullopt;
  return std::string(std::istreambuf_iterator<char>(file), {});
}

}  // namespace kiln::io
