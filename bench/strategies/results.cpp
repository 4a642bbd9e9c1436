#include "bench/strategies/results.hpp"

#include <algorithm>

#include "bench/measure/statistics.hpp"

namespace kiln::bench {

namespace {

template <class Key>
std::vector<Key> distinct(const std::vector<Measurement>& measurements, Key Measurement::* member) {
  std::vector<Key> keys;
  for (const auto& measurement : measurements) {
    if (std::ranges::find(keys, measurement.*member) == keys.end()) keys.push_back(measurement.*member);
  }
  return keys;
}

}  // namespace

std::string_view name_of(CacheState state) { return state == CacheState::warm ? "warm" : "cold"; }

Verdict worse_of(const Verdict& one, const Verdict& other) {
  Verdict worst;
  worst.expected = std::max(one.expected, other.expected);
  worst.missed = std::max(one.missed, other.missed);
  worst.false_reports = std::max(one.false_reports, other.false_reports);
  worst.false_candidates = std::max(one.false_candidates, other.false_candidates);
  return worst;
}

Verdict Measurement::worst() const {
  Verdict worst;
  for (const auto& run : runs) worst = worse_of(worst, run.verdict);
  return worst;
}

const Measurement* Results::find(const Strategy& strategy, ChangeKind change, CacheState cache) const {
  const auto found = std::ranges::find_if(measurements, [&](const Measurement& measurement) {
    return measurement.strategy == &strategy && measurement.change == change && measurement.cache == cache;
  });
  return found == measurements.end() ? nullptr : &*found;
}

std::vector<const Strategy*> Results::strategies() const { return distinct(measurements, &Measurement::strategy); }
std::vector<ChangeKind> Results::changes() const { return distinct(measurements, &Measurement::change); }
std::vector<CacheState> Results::cache_states() const { return distinct(measurements, &Measurement::cache); }

bool Results::promises_kept() const {
  return std::ranges::all_of(measurements, [](const Measurement& measurement) {
    const Verdict worst = measurement.worst();
    return !measurement.strategy->exact || (worst.missed == 0 && worst.false_reports == 0);
  });
}

double median_seconds(const Measurement& measurement, Cost Run::* phase) {
  std::vector<double> values;
  for (const auto& run : measurement.runs) values.push_back((run.*phase).seconds);
  return summarize(std::move(values)).median;
}

std::optional<double> median_of(const Measurement& measurement, Cost Run::* phase, std::optional<std::uint64_t> Cost::* field) {
  std::vector<double> values;
  for (const auto& run : measurement.runs) {
    const auto& value = (run.*phase).*field;
    if (!value) return std::nullopt;
    values.push_back(static_cast<double>(*value));
  }
  return summarize(std::move(values)).median;
}

}  // namespace kiln::bench
