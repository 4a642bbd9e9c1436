// kiln cache: what a layer cache or a directory of base images holds, and deleting of it.
#pragma once

#include <string>
#include <vector>

namespace kiln::tools {

// Arguments after "cache": list or prune, and the place. Errors: io::Error naming the flag, the place or the registry.
int cache_main(const std::vector<std::string>& arguments);

}  // namespace kiln::tools
