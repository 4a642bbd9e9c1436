// Which entries of a layer cache can still be used, and how long they are needed. A build takes the layers of a stage from the
// first step on, so an entry is worth as much as the ones before it.
#pragma once

#include <vector>

#include "engine/cache/store.hpp"

namespace kiln::engine {

// Gives a problem to those whose entry before is not there or has one. Entries that name none are left alone.
void mark_unreachable(std::vector<StoredEntry>& entries);

// Fills in needed_created and needed_used.
void spread_times(std::vector<StoredEntry>& entries);

// Moves what is to go out of `entries`: what has a problem, is too old, or is over the size, the youngest stay. Sizes are added up:
// layers that entries share count for each. limits.used_after is left to others.
std::vector<StoredEntry> choose_to_go(std::vector<StoredEntry>& entries, const PruneLimits& limits);

}  // namespace kiln::engine
