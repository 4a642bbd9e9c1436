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
  bool logarithmic = false;
};

// Horizontal bars on one scale: linear from 0 on, or logarithmic in whole decades, with an axis. Negative values have no bar.
std::string to_svg(const BarChart& chart);
std::string to_html(const Table& table);
std::string to_html_paragraph(std::string_view text);
std::string to_html_heading(std::string_view text);  // of a part of the page; tables and charts have smaller ones
// `body`, which is HTML, shown when it is asked for.
std::string to_html_details(std::string_view summary, std::string_view body);

// The page around `body`, which is HTML.
std::string html_page(std::string_view title, std::string_view body);

}  // namespace kiln::bench
