// A logarithmic axis in whole decades.
#pragma once

#include <string>
#include <vector>

namespace kiln::bench {

class LogAxis {
 public:
  // Spans the decades that the positive ones of `values` are in; `from` and `to` are where its ends are drawn.
  LogAxis(const std::vector<double>& values, double from, double to);
  // Where a positive value is drawn; one below the axis at its beginning.
  double position(double value) const;
  // 1, 10, 100 ... from the first to the last end of a decade.
  std::vector<double> ticks() const;

 private:
  int first_ = 0;  // exponents of ten
  int last_ = 1;
  double from_;
  double to_;
};

// "0.1", "10", "1000", "100 k"
std::string tick_label(double value);

}  // namespace kiln::bench
