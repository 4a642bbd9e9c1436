#include "bench/strategies/report.hpp"

#include <fmt/format.h>

#include "bench/measure/statistics.hpp"
#include "bench/report/html.hpp"
#include "bench/report/line_chart.hpp"
#include "bench/strategies/tables.hpp"

namespace kiln::bench {

namespace {

constexpr std::string_view title = "Snapshot strategies";

double bare_statx(const Results& results) { return summarize(results.statx_one_thread).median; }

std::string about_machine(const Results& results) {
  const std::string calls =
      results.system_call_counter.empty() ? "counted by a perf event" : "n/a (" + results.system_call_counter + ")";
  return fmt::format("{}; system calls: {}; cold: {}", to_text(results.machine), calls, results.chill_method);
}

std::string name_of_tree(const Results& results) {
  return fmt::format("{} of {} entries", results.tree == "made" ? "a made tree" : "a copy of " + results.tree, results.entries);
}

std::string about_tree(const Results& results) {
  return fmt::format(
      "{}, {} MB; medians of {} runs. A statx of every path and nothing else: {} ms on one thread, {} ms on all cores",
      name_of_tree(results), results.bytes / 1'000'000, results.runs, milliseconds(bare_statx(results)),
      milliseconds(summarize(results.statx_all_cores).median));
}

constexpr std::string_view legend =
    "'nothing': no file had changed, and none was told. Strategies that are not exact promise less. Suspected in vain: an entry "
    "that "
    "the strategy had to look at more closely, and that was as before.";

BarChart times_chart(const Results& results, ChangeKind change, CacheState cache) {
  BarChart chart;
  chart.title = fmt::format("Snapshot after the change '{}', {} cache", name_of(change), name_of(cache));
  chart.unit = "ms";
  chart.logarithmic = true;
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

// How the time grows with the size of the tree.
LineChart growth_chart(const AllResults& all, ChangeKind change, CacheState cache) {
  LineChart chart;
  chart.title = fmt::format("Snapshot after the change '{}' by size of the tree, {} cache", name_of(change), name_of(cache));
  chart.x_unit = "entries";
  chart.y_unit = "ms";
  for (const Strategy* strategy : all.front().strategies()) {
    Line line{std::string(strategy->name), {}};
    for (const auto& results : all) {
      const Measurement* measurement = results.find(*strategy, change, cache);
      if (!measurement) continue;
      line.points.push_back({static_cast<double>(results.entries), median_seconds(*measurement, &Run::detect) * 1e3});
    }
    chart.lines.push_back(std::move(line));
  }
  return chart;
}

std::string charts_of(const Results& results) {
  std::string html;
  for (const CacheState cache : results.cache_states()) {
    const std::vector<ChangeKind> changes = results.changes();
    html += to_svg(times_chart(results, changes.front(), cache));
    std::string others;
    for (std::size_t i = 1; i < changes.size(); ++i) others += to_svg(times_chart(results, changes[i], cache));
    if (!others.empty()) html += to_html_details(fmt::format("The other changes, {} cache", name_of(cache)), others);
  }
  return html;
}

}  // namespace

std::string to_text(const AllResults& all) {
  std::string text = about_machine(all.front()) + "\n";
  for (const auto& results : all) {
    text += fmt::format("\n{}\n", about_tree(results));
    for (const auto& table : tables_of(results)) text += "\n" + to_text(table);
  }
  return fmt::format("{}\n{}\n{}\n", text, to_text(methods_table(all.front())), legend);
}

std::string to_html(const AllResults& all) {
  std::string body = to_html_paragraph(about_machine(all.front()));
  if (all.size() > 1) {
    for (const CacheState cache : all.front().cache_states()) {
      body += to_svg(growth_chart(all, all.front().changes().front(), cache));
    }
  }
  body += to_html(methods_table(all.front())) + to_html_paragraph(legend);
  for (const auto& results : all) {
    body += to_html_heading(name_of_tree(results)) + to_html_paragraph(about_tree(results));
    for (const auto& table : tables_of(results)) body += to_html(table);
    body += charts_of(results);
  }
  return html_page(title, body);
}

}  // namespace kiln::bench
