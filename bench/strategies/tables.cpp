#include "bench/strategies/tables.hpp"

#include <algorithm>
#include <functional>

#include <fmt/format.h>

#include "bench/measure/statistics.hpp"

namespace kiln::bench {

namespace {

std::string number_or_nothing(std::optional<double> value, double divisor, int digits) {
  return value ? fmt::format("{:.{}f}", *value / divisor, digits) : "n/a";
}

// A row for each strategy and a column for each change.
Table by_change(const Results& results, std::string title,
                const std::function<std::string(const Strategy& strategy, ChangeKind change)>& cell) {
  Table table;
  table.title = std::move(title);
  table.header = {"strategy", "exact"};
  for (const ChangeKind change : results.changes()) table.header.emplace_back(name_of(change));
  for (const Strategy* strategy : results.strategies()) {
    std::vector<std::string> row = {std::string(strategy->name), strategy->exact ? "yes" : "no"};
    for (const ChangeKind change : results.changes()) row.push_back(cell(*strategy, change));
    table.rows.push_back(std::move(row));
  }
  return table;
}

Table times_table(const Results& results, CacheState cache) {
  return by_change(results, fmt::format("Finding what a command changed, {} cache, ms", name_of(cache)),
                   [&](const Strategy& strategy, ChangeKind change) {
                     const Measurement* measurement = results.find(strategy, change, cache);
                     return measurement ? milliseconds(median_seconds(*measurement, &Run::detect)) : "";
                   });
}

// Each number the worst of all runs, whatever the cache.
Verdict worst_of(const Results& results, const Strategy& strategy, ChangeKind change) {
  Verdict worst;
  for (const CacheState cache : results.cache_states()) {
    const Measurement* measurement = results.find(strategy, change, cache);
    if (measurement) worst = worse_of(worst, measurement->worst());
  }
  return worst;
}

std::string found_or_not(const Verdict& verdict) {
  std::string text = "found";
  if (verdict.expected == 0) {
    text = "nothing";
  } else if (verdict.missed >= verdict.expected) {
    text = "missed";
  } else if (verdict.missed > 0) {
    text = fmt::format("{} of {} missed", verdict.missed, verdict.expected);
  }
  return verdict.false_reports == 0 ? text : fmt::format("{}, {} false", text, verdict.false_reports);
}

Table verdicts_table(const Results& results) {
  return by_change(results, "Was the change found? (the worst of all runs)",
                   [&](const Strategy& strategy, ChangeKind change) { return found_or_not(worst_of(results, strategy, change)); });
}

Table candidates_table(const Results& results) {
  return by_change(results, "Entries suspected in vain (the worst of all runs)", [&](const Strategy& strategy, ChangeKind change) {
    return fmt::format("{}", worst_of(results, strategy, change).false_candidates);
  });
}

Table costs_table(const Results& results, ChangeKind change, CacheState cache) {
  Table table;
  table.title = fmt::format("What a snapshot costs (change: {}, {} cache)", name_of(change), name_of(cache));
  table.header = {"strategy", "before ms", "after ms", "CPU ms", "x statx", "system calls", "read MB", "bytes/entry"};
  const double statx = summarize(results.statx_one_thread).median;
  for (const Strategy* strategy : results.strategies()) {
    const Measurement* measurement = results.find(*strategy, change, cache);
    if (!measurement) continue;
    const double after = median_seconds(*measurement, &Run::detect);
    std::vector<double> cpu;
    for (const auto& run : measurement->runs) cpu.push_back(run.detect.cpu_seconds);
    table.rows.push_back(
        {std::string(strategy->name), milliseconds(median_seconds(*measurement, &Run::arm)), milliseconds(after),
         milliseconds(summarize(std::move(cpu)).median), fmt::format("{:.2f}", after / statx),
         number_or_nothing(median_of(*measurement, &Run::detect, &Cost::system_calls), 1, 0),
         number_or_nothing(median_of(*measurement, &Run::detect, &Cost::bytes_read), 1e6, 1),
         number_or_nothing(median_of(*measurement, &Run::detect, &Cost::memory), static_cast<double>(results.entries), 0)});
  }
  return table;
}

}  // namespace

std::string milliseconds(double seconds) { return fmt::format("{:.1f}", seconds * 1e3); }

std::vector<Table> tables_of(const Results& results) {
  std::vector<Table> tables;
  for (const CacheState cache : results.cache_states()) {
    tables.push_back(times_table(results, cache));
    tables.push_back(costs_table(results, results.changes().front(), cache));
  }
  tables.push_back(verdicts_table(results));
  tables.push_back(candidates_table(results));
  return tables;
}

Table methods_table(const Results& results) {
  Table methods;
  methods.title = "What each strategy looks at";
  methods.header = {"strategy", "looks at"};
  methods.text_columns = 2;
  for (const Strategy* strategy : results.strategies()) {
    methods.rows.push_back({std::string(strategy->name), std::string(strategy->method)});
  }
  for (const auto& skipped : results.skipped) {
    methods.rows.push_back({std::string(skipped.strategy->name), "left out: " + skipped.reason});
  }
  return methods;
}

}  // namespace kiln::bench
