// Durations as Go writes them: "1h2m3.5s", "300ms".
#pragma once

#include <chrono>
#include <string>
#include <string_view>

namespace kiln::engine::dockerfile {

// Errors: io::Error(dockerfile) naming the text.
std::chrono::nanoseconds parse_duration(std::string_view text);
std::string format_duration(std::chrono::nanoseconds duration);

}  // namespace kiln::engine::dockerfile
