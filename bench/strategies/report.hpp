// The results as text for a terminal, JSON for programs, and a self-contained HTML page.
#pragma once

#include <string>
#include <vector>

#include "bench/strategies/results.hpp"

namespace kiln::bench {

// One or several trees, all of one machine and with the same strategies.
using AllResults = std::vector<Results>;

std::string to_text(const AllResults& all);
// {"machine", "strategies", "skipped", "trees": [{"from", "entries", "bytes", "statx", "measurements"}], "promises_kept"};
// seconds, bytes; null where nothing could be measured.
std::string to_json(const AllResults& all);
std::string to_html(const AllResults& all);

}  // namespace kiln::bench
