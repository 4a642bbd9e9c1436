#include "engine/dockerfile/diagnostics.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "engine/dockerfile/text.hpp"

namespace kiln::engine::dockerfile {

namespace {

constexpr int lines_around = 2;
constexpr int lines_marked = 10;
constexpr std::size_t widest = 160;

std::string printable(std::string_view line) {
  std::string text;
  const bool cut = line.size() > widest;
  if (cut) line = line.substr(0, widest);
  while (!line.empty()) {
    const std::size_t length = rune_length(line);
    const auto lead = static_cast<unsigned char>(line.front());
    const bool shown = length > 1 || (lead >= 0x20 && lead < 0x7f);
    if (lead == '\t') {
      text += ' ';
    } else if (shown) {
      text += line.substr(0, length);
    } else if (lead != '\r') {
      text += '?';
    }
    line.remove_prefix(length);
  }
  return cut ? text + "..." : text;
}

// Line `number`, without its end.
std::string_view line_of(std::string_view source, int number) {
  for (; number > 1; --number) {
    const auto newline = source.find('\n');
    if (newline == std::string_view::npos) return {};
    source.remove_prefix(newline + 1);
  }
  return source.substr(0, source.find('\n'));
}

}  // namespace

std::string describe(const Location& location) {
  if (location.last_line > location.first_line) return fmt::format("{}-{}", location.first_line, location.last_line);
  if (location.first_column == 0) return fmt::format("{}", location.first_line);
  if (location.last_column <= location.first_column) return fmt::format("{}:{}", location.first_line, location.first_column);
  return fmt::format("{}:{}-{}", location.first_line, location.first_column, location.last_column);
}

std::string source_excerpt(std::string_view source, const Location& location) {
  if (location.first_line == 0) return "";
  const int total = static_cast<int>(std::count(source.begin(), source.end(), '\n')) + (source.ends_with('\n') ? 0 : 1);
  const int last_marked = std::min(std::max(location.last_line, location.first_line), location.first_line + lines_marked - 1);
  const int first = std::max(1, location.first_line - lines_around);
  const int last = std::min(total, last_marked + lines_around);
  std::string text;
  for (int number = first; number <= last; ++number) {
    const bool marked = number >= location.first_line && number <= last_marked;
    text += fmt::format("{:4} | {} {}\n", number, marked ? ">>>" : "   ", printable(line_of(source, number)));
    const bool words = location.first_line == location.last_line && number == location.first_line && location.first_column > 0;
    if (!words || location.last_column > static_cast<int>(widest)) continue;
    const int length = std::max(location.last_column - location.first_column + 1, 1);
    text += fmt::format("     |     {}{}\n", std::string(static_cast<std::size_t>(location.first_column - 1), ' '),
                        std::string(static_cast<std::size_t>(length), '^'));
  }
  if (!text.empty()) text.pop_back();
  return text;
}

SyntaxError syntax_error(std::string_view name, std::string_view source, const std::string& reason, const Location& location) {
  if (location.first_line == 0) return SyntaxError(fmt::format("{}: {}", name, reason), reason, location);
  return SyntaxError(fmt::format("{}:{}: {}\n{}", name, describe(location), reason, source_excerpt(source, location)), reason,
                     location);
}

SyntaxError instruction_error(std::string_view name, std::string_view source, const std::string& reason, const Location& location) {
  const Location lines{location.first_line, location.last_line};
  return SyntaxError(fmt::format("{}:{}: {}\n{}", name, location.first_line, reason, source_excerpt(source, lines)), reason, lines);
}

SyntaxError word_error(std::string_view name, std::string_view source, const std::string& reason, std::string_view word,
                       const Location& location) {
  for (const std::string& wanted : {fmt::format("={}", word), std::string(word)}) {
    for (int number = location.first_line; number <= location.last_line; ++number) {
      const auto at = line_of(source, number).find(wanted);
      if (at == std::string_view::npos || word.empty()) continue;
      const int first = static_cast<int>(at + wanted.size() - word.size()) + 1;
      return syntax_error(name, source, reason, {number, number, first, first + static_cast<int>(word.size()) - 1});
    }
  }
  return instruction_error(name, source, reason, location);
}

io::Error error_at(std::string_view name, std::string_view source, const io::Error& error, const Location& location) {
  io::Error located(error.kind(), instruction_error(name, source, error.message(), location).message());
  return located.set_exit_code(error.exit_code());
}

}  // namespace kiln::engine::dockerfile
