// What the harness has measured on one tree, as tables.
#pragma once

#include <string>
#include <vector>

#include "bench/report/table.hpp"
#include "bench/strategies/results.hpp"

namespace kiln::bench {

// "12.3"
std::string milliseconds(double seconds);

// Times by change, what a snapshot costs, whether changes were found, and what was suspected in vain.
std::vector<Table> tables_of(const Results& results);
// What each strategy looks at, and why some were left out.
Table methods_table(const Results& results);

}  // namespace kiln::bench
