// A parsed instruction as one line, so that a test case is one line too.
#pragma once

#include <string>

#include "engine/dockerfile/instruction.hpp"

namespace kiln::engine::dockerfile {

std::string dump(const Instruction& instruction);

}  // namespace kiln::engine::dockerfile
