#include "bench/report/axis.hpp"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

namespace kiln::bench {

LogAxis::LogAxis(const std::vector<double>& values, double from, double to) : from_(from), to_(to) {
  double least = 0;
  double most = 0;
  for (const double value : values) {
    if (value <= 0) continue;
    least = least == 0 ? value : std::min(least, value);
    most = std::max(most, value);
  }
  if (most == 0) return;
  first_ = static_cast<int>(std::floor(std::log10(least)));
  last_ = std::max(first_ + 1, static_cast<int>(std::ceil(std::log10(most))));
}

double LogAxis::position(double value) const {
  if (value <= 0) return from_;
  return from_ + (to_ - from_) * std::clamp((std::log10(value) - first_) / (last_ - first_), 0.0, 1.0);
}

std::vector<double> LogAxis::ticks() const {
  std::vector<double> ticks;
  for (int exponent = first_; exponent <= last_; ++exponent) ticks.push_back(std::pow(10.0, exponent));
  return ticks;
}

std::string tick_label(double value) { return value >= 10'000 ? fmt::format("{:g} k", value / 1000) : fmt::format("{:g}", value); }

}  // namespace kiln::bench
