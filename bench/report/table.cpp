#include "bench/report/table.hpp"

#include <algorithm>

namespace kiln::bench {

namespace {

// Every byte but UTF-8's continuation bytes begins a character.
std::size_t width_of(const std::string& text) {
  return static_cast<std::size_t>(std::ranges::count_if(text, [](char byte) { return (byte & 0xC0) != 0x80; }));
}

void append_row(std::string& out, const std::vector<std::string>& row, const std::vector<std::size_t>& widths,
                std::size_t text_columns) {
  std::string line;
  for (std::size_t column = 0; column < row.size(); ++column) {
    const std::string padding(widths[column] - width_of(row[column]), ' ');
    if (column > 0) line += "  ";
    line += column < text_columns ? row[column] + padding : padding + row[column];
  }
  out += line.substr(0, line.find_last_not_of(' ') + 1) + "\n";
}

}  // namespace

std::string to_text(const Table& table) {
  std::vector<std::size_t> widths;
  for (const auto& cell : table.header) widths.push_back(width_of(cell));
  for (const auto& row : table.rows) {
    for (std::size_t column = 0; column < row.size(); ++column) widths[column] = std::max(widths[column], width_of(row[column]));
  }
  std::string out = table.title.empty() ? "" : table.title + "\n\n";
  append_row(out, table.header, widths, table.text_columns);
  for (const auto& row : table.rows) append_row(out, row, widths, table.text_columns);
  return out;
}

}  // namespace kiln::bench
