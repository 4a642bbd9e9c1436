// A plan as text, for people.
#pragma once

#include <string>

#include "engine/plan/plan.hpp"

namespace kiln::engine {

// The stages that the target needs in the order of the file, each with what it stands on, its instructions, and the stages it
// copies from; then those that are left out.
std::string print_plan(const Plan& plan);

}  // namespace kiln::engine
