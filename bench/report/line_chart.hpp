// Lines over a quantity, both axes logarithmic, as SVG.
#pragma once

#include <string>
#include <vector>

namespace kiln::bench {

struct Point {
  double x = 0;
  double y = 0;
};

struct Line {
  std::string label;
  std::vector<Point> points;  // from left to right
};

struct LineChart {
  std::string title;
  std::string x_unit;
  std::string y_unit;
  std::vector<Line> lines;
};

// Labels stand at the right ends, apart from each other. Points with a coordinate that is not positive are left out.
std::string to_svg(const LineChart& chart);

}  // namespace kiln::bench
