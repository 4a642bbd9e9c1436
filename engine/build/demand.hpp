// Which stages have to run, and from which step on.
#pragma once

#include <cstddef>
#include <map>
#include <optional>
#include <set>
#include <vector>

namespace kiln::engine {

struct StageNeeds {
  std::optional<int> base;           // the stage that it is built on
  std::size_t cached = 0;            // steps at its beginning whose layers the cache has
  std::vector<std::set<int>> reads;  // the stages that each step reads from
};

// Stages whose result is wanted, each with the number of steps at its beginning that are taken from the cache.
using Demand = std::map<int, std::size_t>;

// The targets, what a wanted stage is built on, and what its steps that run read from. Nothing else: a stage that only cached
// steps read from is not wanted, whether or not the cache has it. A stage that runs gives one state to all: no step that
// reads from it, is built on it, or stands on it through other stages is taken from another run.
Demand decide_demand(const std::map<int, StageNeeds>& stages, const std::set<int>& targets);

}  // namespace kiln::engine
