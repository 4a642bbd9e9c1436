// What repeated measurements come down to.
#pragma once

#include <vector>

namespace kiln::bench {

struct Summary {
  double median = 0;  // of an even number of values: the mean of the two in the middle
  double lowest = 0;
  double highest = 0;
};

// All zero for no values.
Summary summarize(std::vector<double> values);

}  // namespace kiln::bench
