#include "bench/phases/results.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "bench/measure/statistics.hpp"
#include "bench/report/html.hpp"
#include "bench/report/table.hpp"

namespace kiln::bench {

namespace {

std::string median_or_nothing(const std::vector<double>& values) {
  return values.empty() ? "" : fmt::format("{:.3f}", summarize(values).median);
}

std::string lowest_or_nothing(const std::vector<double>& values) {
  return values.empty() ? "" : fmt::format("{:.3f}", summarize(values).lowest);
}

Table table_of(const PhaseResults& results) {
  Table table;
  table.header = {"", "what", "s", "lowest s", "CPU s", "x floor"};
  table.text_columns = 2;
  for (const auto& row : results.rows) {
    const auto ratio = results.ratio(row);
    table.rows.push_back({row.name, row.what, median_or_nothing(row.seconds), lowest_or_nothing(row.seconds),
                          median_or_nothing(row.cpu_seconds), ratio ? fmt::format("{:.2f}", *ratio) : ""});
  }
  return table;
}

std::string about(const PhaseResults& results) {
  return fmt::format("{}; {}; medians of {} runs", results.work, to_text(results.machine), results.runs);
}

BarChart chart_of(const PhaseResults& results) {
  BarChart chart;
  chart.title = "Time";
  chart.unit = "s";
  for (const auto& row : results.rows) {
    if (row.seconds.empty()) continue;
    const double median = summarize(row.seconds).median;
    chart.bars.push_back({row.name, median, fmt::format("{:.2f} s", median), &row == &results.rows[results.floor]});
  }
  return chart;
}

}  // namespace

std::optional<double> PhaseResults::ratio(const PhaseRow& row) const {
  if (row.seconds.empty()) return std::nullopt;
  return summarize(row.seconds).median / summarize(rows[floor].seconds).median;
}

std::string to_text(const PhaseResults& results) { return fmt::format("{}\n\n{}", about(results), to_text(table_of(results))); }

std::string to_json(const PhaseResults& results) {
  using Json = nlohmann::ordered_json;
  auto rows = Json::array();
  for (const auto& row : results.rows) {
    const auto ratio = results.ratio(row);
    rows.push_back({{"name", row.name},
                    {"what", row.what},
                    {"seconds", row.seconds},
                    {"cpu_seconds", row.cpu_seconds},
                    {"ratio", ratio ? Json(*ratio) : Json(nullptr)}});
  }
  const Machine& machine = results.machine;
  const Json document = {
      {"title", results.title},
      {"machine",
       {{"kernel", machine.kernel}, {"file_system", machine.file_system}, {"cores", machine.cores}, {"root", machine.root}}},
      {"work", results.work},
      {"rows", std::move(rows)}};
  return document.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

std::string to_html(const PhaseResults& results) {
  return html_page(results.title, to_html_paragraph(about(results)) + to_html(table_of(results)) + to_svg(chart_of(results)));
}

}  // namespace kiln::bench
