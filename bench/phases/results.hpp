// A phase of a build beside the least that the machine needs for the same work, and their reports.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "bench/measure/machine.hpp"

namespace kiln::bench {

struct PhaseRow {
  std::string name;
  std::string what;
  std::vector<double> seconds;  // wall, one a run; empty: only CPU time was measured
  std::vector<double> cpu_seconds;
};

struct PhaseResults {
  std::string title;
  Machine machine;
  std::string work;  // what was done
  unsigned runs = 0;
  std::vector<PhaseRow> rows;
  std::size_t floor = 0;  // the row whose time the others' are divided by

  // Median time over the floor's; nothing where only CPU time was measured.
  std::optional<double> ratio(const PhaseRow& row) const;
};

std::string to_text(const PhaseResults& results);
// {"title", "machine", "work", "rows": [{"name", "what", "seconds", "cpu_seconds", "ratio"}]}
std::string to_json(const PhaseResults& results);
std::string to_html(const PhaseResults& results);

}  // namespace kiln::bench
