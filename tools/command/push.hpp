// `executor push`: an image that an earlier build has left in a file.
#pragma once

#include <string>
#include <vector>

namespace kiln::tools {

// Arguments after "push". Errors: io::Error.
int push_main(const std::vector<std::string>& arguments);

}  // namespace kiln::tools
