// The flags of `kiln build`: those of docker build, and the executor's for registries.
#pragma once

#include <span>

#include "tools/command/flags.hpp"

namespace kiln::tools {

std::span<const Flag> build_flags();

}  // namespace kiln::tools
