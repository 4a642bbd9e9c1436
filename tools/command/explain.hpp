// kiln cache explain: what a build would find in the layer cache, and what has changed where it would find nothing.
#pragma once

#include <string>
#include <vector>

#include "engine/cache/cache_report.hpp"

namespace kiln::tools {

// Arguments after "explain": those of kiln build. Errors: io::Error naming the flag.
int explain_main(const std::vector<std::string>& arguments);

// On standard output.
void print_report(const engine::CacheReport& report, bool json);

}  // namespace kiln::tools
