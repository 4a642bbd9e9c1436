#include "bench/strategies/report.hpp"

#include <fmt/format.h>

#include "bench/report/html.hpp"
#include "bench/report/statistics.hpp"
#include "bench/report/table.hpp"

namespace kiln::bench {

namespace {

constexpr std::string_view title = "Snapshot strategies";

std::string milliseconds(double seconds) { return fmt::format("{:.1f}", seconds * 1e3); }

std::string number_or_nothing(std::optional<double> value, double divisor, int digits) {
  return value ? fmt::format("{:.{}f}", *value / divisor, digits) : "n/a";
}

double bare_statx(const Results& results) { return summarize(results.statx_one_thread).median; }

std::string about_machine(const Results& results) {
  const Machine& machine = results.machine;
  return fmt::format("Linux {}, {} cores, {}, {}; system calls: {}; cold: {}", machine.kernel, machine.cores, machine.file_system,
                     machine.root ? "root" : "not root",
                     machine.system_call_counter.empty() ? "counted by a perf event" : "n/a (" + machine.system_call_counter + ")",
                     machine.chill_method);
}

std::string about_tree(const Results& results) {
  return fmt::format(
      "{} entries, {} MB, {}; medians of {} runs. A statx of every path and nothing else: {} ms on one thread, {} ms on all cores",
      results.entries, results.bytes / 1'000'000, results.tree == "made" ? "a made tree" : "a copy of " + results.tree,
      results.runs, milliseconds(bare_statx(results)), milliseconds(summarize(results.statx_all_cores).median));
}

constexpr std::string_view legend =
    "A '-' behind a time: as many changes were missed; a '+': as many were reported and are none. Strategies that are not exact "
    "promise less.";

std::string cell_of(const Measurement* measurement) {
  if (!measurement) return "";
  const Verdict worst = measurement->worst();
  std::string cell = milliseconds(median_seconds(*measurement, &Run::detect));
  if (worst.missed > 0) cell += fmt::format(" -{}", worst.missed);
  if (worst.false_reports > 0) cell += fmt::format(" +{}", worst.false_reports);
  return cell;
}

Table times_table(const Results& results, CacheState cache) {
  Table table;
  table.title = fmt::format("Finding what a command changed, {} cache, ms", name_of(cache));
  table.header = {"strategy", "exact"};
  for (const ChangeKind change : results.changes()) table.header.emplace_back(name_of(change));
  for (const Strategy* strategy : results.strategies()) {
    std::vector<std::string> row = {std::string(strategy->name), strategy->exact ? "yes" : "no"};
    for (const ChangeKind change : results.changes()) row.push_back(cell_of(results.find(*strategy, change, cache)));
    table.rows.push_back(std::move(row));
  }
  return table;
}

Table costs_table(const Results& results, ChangeKind change, CacheState cache) {
  Table table;
  table.title = fmt::format("What a snapshot costs (change: {}, {} cache)", name_of(change), name_of(cache));
  table.header = {"strategy", "before ms", "after ms", "CPU ms", "x statx", "system calls", "read MB", "bytes/entry"};
  for (const Strategy* strategy : results.strategies()) {
    const Measurement* measurement = results.find(*strategy, change, cache);
    if (!measurement) continue;
    const double after = median_seconds(*measurement, &Run::detect);
    std::vector<double> cpu;
    for (const auto& run : measurement->runs) cpu.push_back(run.detect.cpu_seconds);
    table.rows.push_back(
        {std::string(strategy->name), milliseconds(median_seconds(*measurement, &Run::arm)), milliseconds(after),
         milliseconds(summarize(std::move(cpu)).median), fmt::format("{:.2f}", after / bare_statx(results)),
         number_or_nothing(median_of(*measurement, &Run::detect, &Cost::system_calls), 1, 0),
         number_or_nothing(median_of(*measurement, &Run::detect, &Cost::bytes_read), 1e6, 1),
         number_or_nothing(median_of(*measurement, &Run::detect, &Cost::memory), static_cast<double>(results.entries), 0)});
  }
  return table;
}

std::vector<Table> all_tables(const Results& results) {
  std::vector<Table> tables;
  for (const CacheState cache : results.cache_states()) {
    tables.push_back(times_table(results, cache));
    tables.push_back(costs_table(results, results.changes().front(), cache));
  }
  Table methods;
  methods.title = "What each strategy looks at";
  methods.header = {"strategy", "looks at"};
  methods.text_columns = 2;
  for (const Strategy* strategy : results.strategies())
    methods.rows.push_back({std::string(strategy->name), std::string(strategy->method)});
  for (const auto& skipped : results.skipped)
    methods.rows.push_back({std::string(skipped.strategy->name), "left out: " + skipped.reason});
  tables.push_back(std::move(methods));
  return tables;
}

BarChart times_chart(const Results& results, ChangeKind change, CacheState cache) {
  BarChart chart;
  chart.title = fmt::format("Snapshot after the change '{}', {} cache", name_of(change), name_of(cache));
  chart.unit = "ms";
  if (cache == CacheState::warm) {
    const double statx = bare_statx(results) * 1e3;
    chart.bars.push_back({"statx of every path", statx, fmt::format("{:.1f} ms", statx), true});
  }
  for (const Strategy* strategy : results.strategies()) {
    const Measurement* measurement = results.find(*strategy, change, cache);
    if (!measurement) continue;
    const Verdict worst = measurement->worst();
    const double time = median_seconds(*measurement, &Run::detect) * 1e3;
    chart.bars.push_back({std::string(strategy->name), time,
                          fmt::format("{:.1f} ms{}", time, worst.missed > 0 ? fmt::format(", {} missed", worst.missed) : ""),
                          false});
  }
  return chart;
}

}  // namespace

std::string to_text(const Results& results) {
  std::string text = fmt::format("{}\n{}\n", about_machine(results), about_tree(results));
  for (const auto& table : all_tables(results)) text += "\n" + to_text(table);
  return text + fmt::format("\n{}\n", legend);
}

std::string to_html(const Results& results) {
  std::string body = to_html_paragraph(about_tree(results)) + to_html_paragraph(about_machine(results));
  for (const auto& table : all_tables(results)) body += to_html(table);
  body += to_html_paragraph(legend);
  for (const CacheState cache : results.cache_states()) {
    for (const ChangeKind change : results.changes()) body += to_svg(times_chart(results, change, cache));
  }
  return html_page(title, body);
}

}  // namespace kiln::bench
