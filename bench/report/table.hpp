// A table, and its form for a terminal.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace kiln::bench {

struct Table {
  std::string title;
  std::vector<std::string> header;
  std::vector<std::vector<std::string>> rows;  // as wide as the header
  std::size_t text_columns = 1;                // from the left: flushed left, the others right
};

// Columns are two blanks apart. Widths count UTF-8 characters.
std::string to_text(const Table& table);

}  // namespace kiln::bench
