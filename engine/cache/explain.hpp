// Why a step was not in the cache: what has changed since the nearest entry.
#pragma once

#include <vector>

#include "engine/cache/cache_report.hpp"
#include "engine/cache/step_inputs.hpp"

namespace kiln::engine {

// Fills in reason, differences and nearest of a step that was looked up, from what `known` builds were made of. `now` is spelt
// (spell_files). Of entries as near, the first counts.
void explain(MissedStep& missed, const StepInputs& now, const std::vector<StepInputs>& known);

}  // namespace kiln::engine
