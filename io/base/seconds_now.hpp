#pragma once

#include <chrono>
#include <cstdint>

namespace kiln::io {

// Of the system's clock, since 1970.
inline std::int64_t seconds_now() {
  return std::chrono::duration_cast<std::chrono::seconds>(std::chrono::system_clock::now().time_since_epoch()).count();
}

}  // namespace kiln::io
