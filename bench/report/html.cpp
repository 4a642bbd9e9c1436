#include "bench/report/html.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "bench/report/axis.hpp"

namespace kiln::bench {

namespace {

constexpr std::string_view style =
    ":root{color-scheme:light dark;--ink:#1d2330;--paper:#fff;--rule:#d9dde6;--strong:#8a93a6;--bar:#4c78c8;--mark:#e0873a}"
    "@media(prefers-color-scheme:dark){:root{--ink:#dfe3ec;--paper:#161a22;--rule:#323a49;--strong:#6b7487;--bar:#6f97dd}}"
    "body{font:15px/1.5 system-ui,sans-serif;max-width:80rem;margin:2rem auto;padding:0 "
    "1rem;color:var(--ink);background:var(--paper)}"
    "h1{font-size:1.6rem}h2{font-size:1.3rem;margin-top:3rem;border-bottom:1px solid "
    "var(--rule)}h3{font-size:1.05rem;margin-top:2rem}"
    "table{border-collapse:collapse;font-variant-numeric:tabular-nums}"
    "th,td{padding:.25rem .6rem;text-align:right;white-space:nowrap;border-bottom:1px solid var(--rule)}"
    ".text{text-align:left}.text+.text{white-space:normal}th{border-bottom:2px solid var(--strong)}"
    "svg text{font:13px "
    "system-ui,sans-serif;fill:var(--ink)}.bar{fill:var(--bar)}.bar.mark{fill:var(--mark)}.grid{stroke:var(--rule)}"
    ".scroll{overflow-x:auto}summary{cursor:pointer;margin-top:1.5rem}";

std::string row_of_cells(const Table& table, const std::vector<std::string>& cells, std::string_view tag) {
  std::string row = "<tr>";
  for (std::size_t column = 0; column < cells.size(); ++column) {
    row += fmt::format("<{0}{1}>{2}</{0}>", tag, column < table.text_columns ? " class=\"text\"" : "", escape_html(cells[column]));
  }
  return row + "</tr>";
}

constexpr int chart_width = 960;
constexpr int label_width = 190;
constexpr int caption_width = 170;
constexpr int row_height = 26;
constexpr int axis_height = 22;

std::string decades_of(const LogAxis& axis, int bottom) {
  std::string svg;
  for (const double tick : axis.ticks()) {
    const double x = axis.position(tick);
    svg += fmt::format("<line class=\"grid\" x1=\"{0:.1f}\" y1=\"0\" x2=\"{0:.1f}\" y2=\"{1}\"/>", x, bottom);
    svg += fmt::format("<text x=\"{:.1f}\" y=\"{}\" text-anchor=\"middle\">{}</text>\n", x, bottom + 16, tick_label(tick));
  }
  return svg;
}

}  // namespace

std::string escape_html(std::string_view text) {
  std::string escaped;
  for (const char letter : text) {
    switch (letter) {
      case '&': escaped += "&amp;"; break;
      case '<': escaped += "&lt;"; break;
      case '>': escaped += "&gt;"; break;
      case '"': escaped += "&quot;"; break;
      default: escaped += letter;
    }
  }
  return escaped;
}

std::string to_svg(const BarChart& chart) {
  constexpr double left = label_width;
  constexpr double right = chart_width - caption_width;
  std::vector<double> values;
  for (const auto& bar : chart.bars) values.push_back(std::max(bar.value, 0.0));
  const LogAxis decades(values, left, right);
  const double longest = values.empty() ? 0 : std::ranges::max(values);
  const auto end_of = [&](double value) {
    if (chart.logarithmic) return decades.position(value);
    return longest > 0 ? left + (right - left) * std::max(value, 0.0) / longest : left;
  };
  const auto bottom = static_cast<int>(chart.bars.size()) * row_height;
  std::string svg = fmt::format("<h3>{}{}</h3>\n<svg viewBox=\"0 0 {} {}\" width=\"100%\" role=\"img\">\n",
                                escape_html(chart.title), chart.unit.empty() ? "" : fmt::format(", {}", escape_html(chart.unit)),
                                chart_width, bottom + (chart.logarithmic ? axis_height : 0));
  if (chart.logarithmic) svg += decades_of(decades, bottom);
  int y = 0;
  for (const auto& bar : chart.bars) {
    const double end = end_of(bar.value);
    svg += fmt::format("<text x=\"{}\" y=\"{}\" text-anchor=\"end\">{}</text>", label_width - 8, y + 18, escape_html(bar.label));
    svg += fmt::format("<rect class=\"bar{}\" x=\"{}\" y=\"{}\" width=\"{:.1f}\" height=\"{}\"/>", bar.highlighted ? " mark" : "",
                       label_width, y + 4, end - left, row_height - 8);
    svg += fmt::format("<text x=\"{:.1f}\" y=\"{}\">{}</text>\n", end + 6, y + 18, escape_html(bar.caption));
    y += row_height;
  }
  return svg + "</svg>\n";
}

std::string to_html(const Table& table) {
  std::string html = table.title.empty() ? "" : fmt::format("<h3>{}</h3>\n", escape_html(table.title));
  html += fmt::format("<div class=\"scroll\"><table><thead>{}</thead><tbody>\n", row_of_cells(table, table.header, "th"));
  for (const auto& row : table.rows) html += row_of_cells(table, row, "td") + "\n";
  return html + "</tbody></table></div>\n";
}

std::string to_html_paragraph(std::string_view text) { return fmt::format("<p>{}</p>\n", escape_html(text)); }

std::string to_html_heading(std::string_view text) { return fmt::format("<h2>{}</h2>\n", escape_html(text)); }

std::string to_html_details(std::string_view summary, std::string_view body) {
  return fmt::format("<details><summary>{}</summary>\n{}</details>\n", escape_html(summary), body);
}

std::string html_page(std::string_view title, std::string_view body) {
  return fmt::format(
      "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
      "<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\"><title>{0}</title><style>{1}</style></head>\n"
      "<body><h1>{0}</h1>\n{2}</body></html>\n",
      escape_html(title), style, body);
}

}  // namespace kiln::bench
