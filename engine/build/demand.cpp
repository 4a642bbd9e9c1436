#include "engine/build/demand.hpp"

#include <algorithm>

namespace kiln::engine {

namespace {

using Stages = std::map<int, StageNeeds>;

void want(const Stages& stages, const Demand& cached, int index, Demand& wanted) {
  const auto stage = stages.find(index);
  if (stage == stages.end() || !wanted.emplace(index, cached.at(index)).second) return;
  const StageNeeds& needs = stage->second;
  if (needs.base) want(stages, cached, *needs.base, wanted);
  for (std::size_t step = cached.at(index); step < needs.reads.size(); ++step) {
    for (const int source : needs.reads[step]) want(stages, cached, source, wanted);
  }
}

// The number of steps at a stage's beginning that stand on none of `others`.
std::size_t steps_without(const StageNeeds& needs, const std::set<int>& others) {
  if (needs.base && others.contains(*needs.base)) return 0;
  const auto reads_others = [&others](const std::set<int>& reads) {
    return std::any_of(reads.begin(), reads.end(), [&others](int source) { return others.contains(source); });
  };
  return static_cast<std::size_t>(std::find_if(needs.reads.begin(), needs.reads.end(), reads_others) - needs.reads.begin());
}

// The wanted stages that run, and all that stand on one of them.
std::set<int> find_renewed(const Stages& stages, const Demand& wanted) {
  std::set<int> renewed;
  for (const auto& [index, first] : wanted) {
    if (first < stages.at(index).reads.size()) renewed.insert(index);
  }
  // Stages stand on earlier ones only.
  for (const auto& [index, needs] : stages) {
    const bool on_renewed_base = needs.base && renewed.contains(*needs.base);
    if (on_renewed_base || steps_without(needs, renewed) < needs.reads.size()) renewed.insert(index);
  }
  return renewed;
}

}  // namespace

Demand decide_demand(const Stages& stages, const std::set<int>& targets) {
  Demand cached;
  for (const auto& [index, needs] : stages) cached[index] = needs.cached;
  while (true) {
    Demand wanted;
    for (const int target : targets) want(stages, cached, target, wanted);
    const std::set<int> renewed = find_renewed(stages, wanted);
    bool changed = false;
    for (const auto& [index, first] : wanted) {
      cached[index] = std::min(first, steps_without(stages.at(index), renewed));
      changed = changed || cached[index] != first;
    }
    if (!changed) return wanted;
  }
}

}  // namespace kiln::engine
