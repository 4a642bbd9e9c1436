// `kiln bench`: measurements on this machine.
#pragma once

#include <string>
#include <vector>

namespace kiln::tools {

// Arguments after "bench". The exit code: 1 when a strategy that promises to be exact was not.
// Errors: io::Error naming the flag.
int bench_main(const std::vector<std::string>& arguments);

}  // namespace kiln::tools
