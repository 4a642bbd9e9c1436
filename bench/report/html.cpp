#include "bench/report/html.hpp"

#include <algorithm>

#include <fmt/format.h>

namespace kiln::bench {

namespace {

constexpr std::string_view style =
    "body{font:15px/1.5 system-ui,sans-serif;max-width:70rem;margin:2rem auto;padding:0 1rem;color:#1d2330;background:#fff}"
    "h1{font-size:1.6rem}h2{font-size:1.15rem;margin-top:2.2rem}"
    "table{border-collapse:collapse;font-variant-numeric:tabular-nums}"
    "th,td{padding:.25rem .7rem;text-align:right;border-bottom:1px solid #d9dde6}"
    ".text{text-align:left}th{border-bottom:2px solid #8a93a6}"
    "svg text{font:13px system-ui,sans-serif;fill:#1d2330}.bar{fill:#4c78c8}.bar.mark{fill:#e0873a}.scroll{overflow-x:auto}";

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
  double longest = 0;
  for (const auto& bar : chart.bars) longest = std::max(longest, bar.value);
  const double scale = longest > 0 ? (chart_width - label_width - caption_width) / longest : 0;
  const auto height = static_cast<int>(chart.bars.size()) * row_height;
  std::string svg =
      fmt::format("<h2>{}{}</h2>\n<svg viewBox=\"0 0 {} {}\" width=\"100%\" role=\"img\">\n", escape_html(chart.title),
                  chart.unit.empty() ? "" : fmt::format(", {}", escape_html(chart.unit)), chart_width, height);
  int y = 0;
  for (const auto& bar : chart.bars) {
    const double length = std::max(bar.value, 0.0) * scale;
    svg += fmt::format("<text x=\"{}\" y=\"{}\" text-anchor=\"end\">{}</text>", label_width - 8, y + 18, escape_html(bar.label));
    svg += fmt::format("<rect class=\"bar{}\" x=\"{}\" y=\"{}\" width=\"{:.1f}\" height=\"{}\"/>", bar.highlighted ? " mark" : "",
                       label_width, y + 4, length, row_height - 8);
    svg += fmt::format("<text x=\"{:.1f}\" y=\"{}\">{}</text>\n", label_width + length + 6, y + 18, escape_html(bar.caption));
    y += row_height;
  }
  return svg + "</svg>\n";
}

std::string to_html(const Table& table) {
  std::string html = table.title.empty() ? "" : fmt::format("<h2>{}</h2>\n", escape_html(table.title));
  html += fmt::format("<div class=\"scroll\"><table><thead>{}</thead><tbody>\n", row_of_cells(table, table.header, "th"));
  for (const auto& row : table.rows) html += row_of_cells(table, row, "td") + "\n";
  return html + "</tbody></table></div>\n";
}

std::string to_html_paragraph(std::string_view text) { return fmt::format("<p>{}</p>\n", escape_html(text)); }

std::string html_page(std::string_view title, std::string_view body) {
  return fmt::format(
      "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
      "<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\"><title>{0}</title><style>{1}</style></head>\n"
      "<body><h1>{0}</h1>\n{2}</body></html>\n",
      escape_html(title), style, body);
}

}  // namespace kiln::bench
