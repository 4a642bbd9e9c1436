// The harness that compares snapshot strategies: the engine's own detectors on a real root file system, with every kind of
// change that a command may make.
//
// A run is what a build does around a RUN: arm the detector, let another process change the tree, detect. The time before and
// the time after are measured apart. After each run the Tree is brought up to date, so that a strategy that missed something
// does not disturb the next one; an overlay's upper directory is thrown away. Strategies alternate within a run.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "bench/strategies/results.hpp"
#include "io/loop/runtime.hpp"

namespace kiln::bench {

struct HarnessOptions {
  std::string tree;              // directory to copy; empty: make one
  std::size_t entries = 50'000;  // of the tree that is made
  std::vector<const Strategy*> strategies;
  std::vector<ChangeKind> changes;
  std::vector<CacheState> cache_states;
  unsigned runs = 3;
  std::string work_directory;  // existing and empty; on the file system that is to be measured; everything is left in it
};

// A cancellation point between runs. Errors: io::Error with what was being measured.
io::Task<Results> compare_strategies(io::Runtime& runtime, HarnessOptions options);

}  // namespace kiln::bench
