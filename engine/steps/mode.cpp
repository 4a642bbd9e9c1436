#include "engine/steps/mode.hpp"

#include <algorithm>
#include <charconv>

#include <fmt/format.h>

#include "io/base/error.hpp"

namespace kiln::engine {

namespace {

[[noreturn]] void bad(std::string_view text) {
  throw io::Error(
      io::ErrorKind::dockerfile,
      fmt::format("invalid chmod parameter: '{}'. it should be octal string and between 0 and 07777, or symbolic like u=rwX,go=rX",
                  text));
}

}  // namespace

ModeChange::ModeChange(std::string_view text) {
  std::uint32_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, 8);
  if (!text.empty() && error == std::errc() && end == text.data() + text.size()) {
    if (value > 07777) bad(text);
    octal_ = value;
    return;
  }
  std::string_view rest = text;
  if (rest.empty()) bad(text);
  while (true) {
    Clause clause{0, 0, ""};
    while (!rest.empty() && std::string_view("ugoa").find(rest.front()) != std::string_view::npos) {
      const char who = rest.front();
      clause.who |= who == 'u' ? 0700 : who == 'g' ? 0070 : who == 'o' ? 0007 : 0777;
      rest.remove_prefix(1);
    }
    if (clause.who == 0) clause.who = 0777;
    if (rest.empty() || std::string_view("+-=").find(rest.front()) == std::string_view::npos) bad(text);
    while (!rest.empty() && rest.front() != ',') {
      clause.operation = rest.front();
      if (std::string_view("+-=").find(clause.operation) == std::string_view::npos) bad(text);
      rest.remove_prefix(1);
      const auto length = std::min(rest.find_first_of("+-=,"), rest.size());
      clause.what = rest.substr(0, length);
      if (clause.what.find_first_not_of("rwxXstugo") != std::string::npos) bad(text);
      rest.remove_prefix(length);
      clauses_.push_back(clause);
    }
    if (rest.empty()) return;
    rest.remove_prefix(1);
  }
}

std::uint32_t ModeChange::apply_clause(const Clause& clause, std::uint32_t mode, bool directory) const {
  std::uint32_t bits = 0;     // for all classes
  std::uint32_t special = 0;  // setuid, setgid, sticky
  for (const char c : clause.what) {
    switch (c) {
      case 'r': bits |= 0444; break;
      case 'w': bits |= 0222; break;
      case 'x': bits |= 0111; break;
      case 'X':
        if (directory || (mode & 0111) != 0) bits |= 0111;
        break;
      case 's': special |= ((clause.who & 0700) ? 04000U : 0U) | ((clause.who & 0070) ? 02000U : 0U); break;
      case 't': special |= 01000; break;
      case 'u': bits |= ((mode >> 6U) & 7U) * 0111; break;
      case 'g': bits |= ((mode >> 3U) & 7U) * 0111; break;
      case 'o': bits |= (mode & 7U) * 0111; break;
      default: break;
    }
  }
  const std::uint32_t changed = (bits & clause.who) | special;
  if (clause.operation == '+') return mode | changed;
  if (clause.operation == '-') return mode & ~changed;
  const std::uint32_t cleared = clause.who | ((clause.who & 0700) ? 04000U : 0U) | ((clause.who & 0070) ? 02000U : 0U);
  return (mode & ~cleared) | changed;
}

std::uint32_t ModeChange::apply(std::uint32_t mode, bool directory) const {
  if (octal_) return *octal_;
  for (const auto& clause : clauses_) mode = apply_clause(clause, mode, directory);
  return mode & 07777;
}

}  // namespace kiln::engine
