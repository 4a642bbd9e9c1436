#include "engine/cache/retention.hpp"

#include <algorithm>
#include <map>

namespace kiln::engine {

namespace {

std::map<std::string, StoredEntry*> by_name(std::vector<StoredEntry>& entries) {
  std::map<std::string, StoredEntry*> names;
  for (auto& entry : entries) {
    if (entry.kind == StoredEntry::Kind::layer) names.emplace(entry.name, &entry);
  }
  return names;
}

}  // namespace

void mark_unreachable(std::vector<StoredEntry>& entries) {
  const auto names = by_name(entries);
  for (bool changed = true; changed;) {
    changed = false;
    for (auto& entry : entries) {
      if (entry.before.empty() || !entry.problem.empty()) continue;
      const auto before = names.find(entry.before);
      if (before != names.end() && before->second->problem.empty()) continue;
      entry.problem = "no build can reach it: the entry of the step before it is gone";
      changed = true;
    }
  }
}

void spread_times(std::vector<StoredEntry>& entries) {
  const auto names = by_name(entries);
  for (auto& entry : entries) {
    entry.needed_created = entry.created;
    entry.needed_used = std::max(entry.created, entry.used);
  }
  for (bool changed = true; changed;) {
    changed = false;
    for (const auto& entry : entries) {
      const auto before = names.find(entry.before);
      if (entry.before.empty() || before == names.end()) continue;
      StoredEntry& needed = *before->second;
      changed = changed || needed.needed_created < entry.needed_created || needed.needed_used < entry.needed_used;
      needed.needed_created = std::max(needed.needed_created, entry.needed_created);
      needed.needed_used = std::max(needed.needed_used, entry.needed_used);
    }
  }
}

std::vector<StoredEntry> choose_to_go(std::vector<StoredEntry>& entries, const PruneLimits& limits) {
  mark_unreachable(entries);
  spread_times(entries);
  // Of those that are needed as long, what was made first stays longest.
  std::ranges::sort(entries, [](const StoredEntry& a, const StoredEntry& b) {
    return a.needed_created != b.needed_created ? a.needed_created > b.needed_created : a.created < b.created;
  });
  const std::string over_limit = "-";
  std::uint64_t total = 0;
  for (auto& entry : entries) {
    if (!entry.problem.empty()) continue;
    const bool old = limits.created_after && entry.needed_created < *limits.created_after;
    const bool large = limits.size && total + entry.size > *limits.size;
    if (old || large) {
      entry.problem = over_limit;
    } else {
      total += entry.size;
    }
  }
  mark_unreachable(entries);
  std::vector<StoredEntry> gone, stay;
  for (auto& entry : entries) {
    const bool stays = entry.problem.empty();
    if (entry.problem == over_limit) entry.problem.clear();
    (stays ? stay : gone).push_back(std::move(entry));
  }
  entries = std::move(stay);
  return gone;
}

}  // namespace kiln::engine
