#include "engine/build/phases.hpp"

namespace kiln::engine {

PhaseClock::Entry& PhaseClock::find(const std::string& name) {
  for (auto& entry : entries_) {
    if (entry.phase.name == name) return entry;
  }
  entries_.emplace_back();
  entries_.back().phase.name = name;
  return entries_.back();
}

void PhaseClock::begin(const char* name) {
  Entry& entry = find(name);
  if (entry.active++ == 0) entry.since = std::chrono::steady_clock::now();
}

void PhaseClock::end(const char* name) {
  Entry& entry = find(name);
  if (--entry.active == 0) entry.phase.took += std::chrono::steady_clock::now() - entry.since;
}

std::vector<Phase> PhaseClock::phases() const {
  std::vector<Phase> phases;
  for (const auto& entry : entries_) phases.push_back(entry.phase);
  return phases;
}

}  // namespace kiln::engine
