#include "bench/report/line_chart.hpp"

#include <algorithm>
#include <array>
#include <string_view>

#include <fmt/format.h>

#include "bench/report/axis.hpp"
#include "bench/report/html.hpp"

namespace kiln::bench {

namespace {

constexpr double width = 960;
constexpr double height = 420;
constexpr double left = 70;
constexpr double right = 780;  // labels of lines stand beyond
constexpr double top = 12;
constexpr double bottom = 376;
constexpr double label_distance = 17;
constexpr std::array<std::string_view, 8> colours = {"#4c78c8", "#e0873a", "#54a24b", "#d95f5f",
                                                     "#8f6cc4", "#3fa7a3", "#b8862b", "#c76aa4"};

std::string axes_of(const LineChart& chart, const LogAxis& x, const LogAxis& y) {
  std::string svg;
  for (const double tick : x.ticks()) {
    const double at = x.position(tick);
    svg += fmt::format("<line class=\"grid\" x1=\"{0:.1f}\" y1=\"{1}\" x2=\"{0:.1f}\" y2=\"{2}\"/>", at, top, bottom);
    svg += fmt::format("<text x=\"{:.1f}\" y=\"{}\" text-anchor=\"middle\">{}</text>", at, bottom + 18, tick_label(tick));
  }
  for (const double tick : y.ticks()) {
    const double at = y.position(tick);
    svg += fmt::format("<line class=\"grid\" x1=\"{1}\" y1=\"{0:.1f}\" x2=\"{2}\" y2=\"{0:.1f}\"/>", at, left, right);
    svg += fmt::format("<text x=\"{}\" y=\"{:.1f}\" text-anchor=\"end\">{}</text>", left - 8, at + 4, tick_label(tick));
  }
  return svg + fmt::format("<text x=\"{}\" y=\"{}\" text-anchor=\"middle\">{}</text>\n", (left + right) / 2, bottom + 38,
                           escape_html(chart.x_unit));
}

struct Drawn {
  const Line* line = nullptr;
  std::string_view colour;
  double end = 0;    // y of its last point
  double label = 0;  // y of its label
};

// From top to bottom, each far enough below the one before it, the last one not below the chart.
void spread_labels(std::vector<Drawn>& drawn) {
  std::ranges::sort(drawn, {}, &Drawn::end);
  double free = top;
  for (auto& item : drawn) {
    item.label = std::max(item.end, free);
    free = item.label + label_distance;
  }
  double most = bottom;
  for (std::size_t i = drawn.size(); i-- > 0;) {
    drawn[i].label = std::min(drawn[i].label, most);
    most = drawn[i].label - label_distance;
  }
}

}  // namespace

std::string to_svg(const LineChart& chart) {
  std::vector<double> xs, ys;
  for (const auto& line : chart.lines) {
    for (const auto& point : line.points) {
      xs.push_back(point.x);
      ys.push_back(point.y);
    }
  }
  const LogAxis x(xs, left, right);
  const LogAxis y(ys, bottom, top);
  std::string svg = fmt::format("<h3>{}, {}</h3>\n<svg viewBox=\"0 0 {} {}\" width=\"100%\" role=\"img\">\n",
                                escape_html(chart.title), escape_html(chart.y_unit), width, height);
  svg += axes_of(chart, x, y);
  std::vector<Drawn> drawn;
  for (const auto& line : chart.lines) {
    const std::string_view colour = colours[drawn.size() % colours.size()];
    std::string path;
    std::string dots;
    double end = bottom;
    for (const auto& point : line.points) {
      if (point.x <= 0 || point.y <= 0) continue;
      end = y.position(point.y);
      path += fmt::format("{}{:.1f} {:.1f}", path.empty() ? "M" : " L", x.position(point.x), end);
      dots += fmt::format("<circle cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"3.5\" fill=\"{}\"><title>{}: {:.1f} {}</title></circle>",
                          x.position(point.x), end, colour, escape_html(line.label), point.y, escape_html(chart.y_unit));
    }
    svg += fmt::format("<path d=\"{}\" fill=\"none\" stroke=\"{}\" stroke-width=\"2\"/>{}\n", path.empty() ? "M0 0" : path, colour,
                       dots);
    drawn.push_back({&line, colour, end, end});
  }
  spread_labels(drawn);
  for (const auto& item : drawn) {
    svg += fmt::format("<rect x=\"{}\" y=\"{:.1f}\" width=\"10\" height=\"10\" fill=\"{}\"/>", right + 14, item.label - 5,
                       item.colour);
    svg += fmt::format("<text x=\"{}\" y=\"{:.1f}\">{}</text>\n", right + 30, item.label + 4, escape_html(item.line->label));
  }
  return svg + "</svg>\n";
}

}  // namespace kiln::bench
