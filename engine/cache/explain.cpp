#include "engine/cache/explain.hpp"

#include <algorithm>

namespace kiln::engine {

namespace {

using PartChange = InputDifference::Change;

std::string_view keyword_of(const std::string& step) { return std::string_view(step).substr(0, step.find(' ')); }

// Both maps are sorted: what only one has, and what differs.
template <class Name, class Tell>
void compare(const std::map<Name, std::string>& then, const std::map<Name, std::string>& now, Tell tell) {
  auto old = then.begin();
  auto fresh = now.begin();
  while (old != then.end() || fresh != now.end()) {
    if (fresh == now.end() || (old != then.end() && old->first < fresh->first)) {
      tell(PartChange::removed, old->first, old->second, std::string());
      ++old;
    } else if (old == then.end() || fresh->first < old->first) {
      tell(PartChange::added, fresh->first, std::string(), fresh->second);
      ++fresh;
    } else {
      if (old->second != fresh->second) tell(PartChange::changed, old->first, old->second, fresh->second);
      ++old;
      ++fresh;
    }
  }
}

std::vector<InputDifference> compare_parts(const StepInputs& then, const StepInputs& now) {
  std::vector<InputDifference> differences;
  compare(then.parts, now.parts,
          [&](PartChange change, const InputPart& part, const std::string& before, const std::string& after) {
            differences.push_back({change, part, before, after});
          });
  return differences;
}

std::vector<InputDifference> compare_files(const StepInputs& then, const StepInputs& now) {
  std::vector<InputDifference> differences;
  StepInputs same = now;
  if (then.grouped) group_files(same, *then.grouped);
  compare(then.files, same.files,
          [&](PartChange change, const std::string& path, const std::string& before, const std::string& after) {
            const bool directory = then.grouped && (path.empty() || path.ends_with('/'));
            differences.push_back({change, {directory ? "directory" : "file", path}, before, after});
          });
  return differences;
}

// How far apart: what the instruction says weighs most, what comes before it least.
std::size_t distance(const StepInputs& then, const StepInputs& now) {
  std::size_t sum = then.step == now.step ? 0 : 100;
  for (const auto& difference : compare_parts(then, now)) sum += difference.part.kind == before_part ? 1 : 10;
  return sum;
}

bool is_before(const InputDifference& difference) { return difference.part.kind == before_part; }
bool is_stage(const InputDifference& difference) { return difference.part.kind == "stage"; }

}  // namespace

void explain(MissedStep& missed, const StepInputs& now, const std::vector<StepInputs>& known) {
  const StepInputs* nearest = nullptr;
  std::size_t shortest = 0;
  for (const auto& then : known) {
    if (keyword_of(then.step) != keyword_of(now.step)) continue;
    const std::size_t length = then.key == now.key ? 0 : distance(then, now) + 1;
    if (!nearest || length < shortest) {
      nearest = &then;
      shortest = length;
    }
  }
  missed.reason = MissReason::unknown;
  // Another text with other inputs is another step.
  if (!nearest || (nearest->step != now.step && shortest > 140)) return;
  missed.nearest = nearest->key;
  if (nearest->step != now.step) missed.nearest_step = nearest->step;
  auto differences = compare_parts(*nearest, now);
  auto files = compare_files(*nearest, now);
  const bool before = std::erase_if(differences, is_before) > 0;
  if (!files.empty()) std::erase_if(differences, [](const auto& difference) { return difference.part.kind == "files"; });
  differences.insert(differences.end(), std::make_move_iterator(files.begin()), std::make_move_iterator(files.end()));
  const bool stages_only = !differences.empty() && std::ranges::all_of(differences, is_stage);
  missed.differences = std::move(differences);
  if (stages_only) {
    missed.reason = MissReason::source;
  } else if (!missed.differences.empty()) {
    missed.reason = MissReason::changed;
  } else {
    missed.reason = before ? MissReason::earlier : MissReason::gone;
  }
}

}  // namespace kiln::engine
