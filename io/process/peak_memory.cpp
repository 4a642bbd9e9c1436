#include "io/process/peak_memory.hpp"

#include <cstdlib>
#include <fstream>
#include <string>

namespace kiln::io {

std::uint64_t peak_memory() {
  constexpr const char* key = "VmHWM:";  // in KiB (proc(5))
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with(key)) return std::strtoull(line.c_str() + 6, nullptr, 10) * 1024;
  }
  return 0;
}

}  // namespace kiln::io
