// A plan, for people as text and for programs as JSON.
#pragma once

#include <string>

#include "engine/plan/fetches.hpp"
#include "engine/plan/plan.hpp"

namespace kiln::engine {

// The stages in the order of the file: those that the target needs with what they stand on, the stages they copy from and their
// instructions by line; then those that are not built, and what will be fetched.
std::string print_plan(const Plan& plan, const Fetches& fetches);

// The same with every instruction in its parsed form, variables not expanded.
std::string print_plan_json(const Plan& plan, const Fetches& fetches, const std::string& file_name);

}  // namespace kiln::engine
