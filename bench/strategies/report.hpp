// The results as text for a terminal, JSON for programs, and a self-contained HTML page.
#pragma once

#include <string>

#include "bench/strategies/results.hpp"

namespace kiln::bench {

std::string to_text(const Results& results);
// {"machine", "tree", "statx", "strategies", "measurements", "skipped", "promises_kept"}; seconds, bytes; null where nothing
// could be measured.
std::string to_json(const Results& results);
std::string to_html(const Results& results);

}  // namespace kiln::bench
