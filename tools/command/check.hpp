// kiln check: what is wrong with a Dockerfile, without building it.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace kiln::tools {

// Arguments after "check". Prints BuildKit's build checks and the error that a build would end with, if any. Returns 1 for
// an error and, where the file or BUILDKIT_DOCKERFILE_CHECK says error=true, for findings; else 0.
// Errors: io::Error(usage) naming the flag; io::Error(context) for a file that cannot be read.
int check_main(const std::vector<std::string>& arguments);

}  // namespace kiln::tools
