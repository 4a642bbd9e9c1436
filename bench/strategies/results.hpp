// What the harness has measured.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "bench/measure/cost.hpp"
#include "bench/measure/machine.hpp"
#include "bench/strategies/change.hpp"
#include "bench/strategies/strategy.hpp"

namespace kiln::bench {

enum class CacheState { warm, cold };
std::string_view name_of(CacheState state);

struct Run {
  Cost arm;     // before the command
  Cost detect;  // after it
  Verdict verdict;
};

// One cell of the comparison.
struct Measurement {
  const Strategy* strategy = nullptr;
  ChangeKind change = ChangeKind::none;
  CacheState cache = CacheState::warm;
  std::vector<Run> runs;

  Verdict worst() const;  // of all runs, each number by itself
};

// Of two verdicts, each number by itself.
Verdict worse_of(const Verdict& one, const Verdict& other);

struct Skipped {
  const Strategy* strategy = nullptr;
  std::string reason;
};

struct Results {
  Machine machine;
  std::string chill_method;         // how trees are made cold
  std::string system_call_counter;  // empty: there is one; else why not
  std::string tree;                 // "made" or the directory that was copied
  std::uint64_t entries = 0;
  std::uint64_t bytes = 0;
  unsigned runs = 0;
  std::vector<double> statx_one_thread;  // seconds: a statx of every path and nothing else, warm
  std::vector<double> statx_all_cores;
  std::vector<Measurement> measurements;
  std::vector<Skipped> skipped;

  // Null where it was not measured.
  const Measurement* find(const Strategy& strategy, ChangeKind change, CacheState cache) const;
  // Strategies, changes and cache states with measurements, in the order of the first.
  std::vector<const Strategy*> strategies() const;
  std::vector<ChangeKind> changes() const;
  std::vector<CacheState> cache_states() const;
  // Did every strategy that promises to be exact find everything, and nothing else?
  bool promises_kept() const;
};

// Medians over runs, in the unit of the field. Nothing where a run has no number.
double median_seconds(const Measurement& measurement, Cost Run::* phase);
std::optional<double> median_of(const Measurement& measurement, Cost Run::* phase, std::optional<std::uint64_t> Cost::* field);

}  // namespace kiln::bench
