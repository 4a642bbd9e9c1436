// kiln plan: what a build would do, without doing any of it.
#pragma once

#include <string>
#include <vector>

namespace kiln::tools {

// Arguments after "plan". Prints the stages, their instructions and what would be fetched. Returns 0.
// Errors: io::Error of a Dockerfile that cannot be built; io::Error(usage) naming the flag; io::Error(context) for a file that
// cannot be read.
int plan_main(const std::vector<std::string>& arguments);

}  // namespace kiln::tools
