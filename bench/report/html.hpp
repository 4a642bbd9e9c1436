// A self-contained HTML page: style and SVG plots are inside, nothing is fetched from anywhere.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "bench/report/table.hpp"

namespace kiln::bench {

std::string escape_html(std::string_view text);

struct Bar {
  std::string label;
  double value = 0;     // what its length shows; in the chart's unit
  std::string caption;  // written behind it
  bool highlighted = false;
};

struct BarChart {
  std::string title;
  std::string unit;
  std::vector<Bar> bars;
};

// Horizontal bars on one linear scale that begins at 0. Negative values have no bar.
std::string to_svg(const BarChart& chart);
std::string to_html(const Table& table);
std::string to_html_paragraph(std::string_view text);

// The page around `body`, which is HTML.
std::string html_page(std::string_view title, std::string_view body);

}  // namespace kiln::bench
