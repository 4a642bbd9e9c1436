// One logical line as an instruction.
#pragma once

#include "engine/dockerfile/instruction.hpp"
#include "engine/dockerfile/lines.hpp"

namespace kiln::engine::dockerfile {

// Errors: SyntaxError whose message is the bare reason.
Instruction parse_instruction(LogicalLine line, char escape);

}  // namespace kiln::engine::dockerfile
