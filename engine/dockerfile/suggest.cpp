#include "engine/dockerfile/suggest.hpp"

#include <algorithm>
#include <numeric>

namespace kiln::engine::dockerfile {

namespace {

// Letters to change, add, drop or swap with their neighbour.
std::size_t distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> before(b.size() + 1), above(b.size() + 1), row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::swap(before, above);
    std::swap(above, row);
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      row[j] = std::min({above[j] + 1, row[j - 1] + 1, above[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1)});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) row[j] = std::min(row[j], before[j - 2] + 1);
    }
  }
  return row[b.size()];
}

}  // namespace

std::string nearest(std::string_view word, const std::vector<std::string>& candidates) {
  return nearest(word, candidates, std::clamp<std::size_t>(word.size() / 2, 1, 2));
}

std::string nearest(std::string_view word, const std::vector<std::string>& candidates, std::size_t farthest) {
  const std::string* best = nullptr;
  std::size_t best_distance = farthest + 1;
  for (const auto& candidate : candidates) {
    const std::size_t away = distance(word, candidate);
    if (away == 0) return "";
    if (away < best_distance) {
      best = &candidate;
      best_distance = away;
    }
  }
  return best ? *best : "";
}

std::string did_you_mean(std::string_view word, const std::vector<std::string>& candidates) {
  const std::string best = nearest(word, candidates);
  return best.empty() ? "" : " (did you mean " + best + "?)";
}

}  // namespace kiln::engine::dockerfile
