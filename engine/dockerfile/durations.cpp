#include "engine/dockerfile/durations.hpp"

#include <array>
#include <cctype>
#include <cmath>
#include <utility>

#include <fmt/format.h>

#include "io/base/error.hpp"

namespace kiln::engine::dockerfile {

namespace {

constexpr std::array<std::pair<std::string_view, double>, 8> units = {
    {{"ns", 1.0}, {"us", 1e3}, {"\xc2\xb5s", 1e3}, {"\xce\xbcs", 1e3}, {"ms", 1e6}, {"s", 1e9}, {"m", 60e9}, {"h", 3600e9}}};

[[noreturn]] void bad(std::string_view text) {
  throw io::Error(io::ErrorKind::dockerfile, fmt::format("invalid duration \"{}\"", text));
}

std::string with_fraction(long long value, long long unit, std::string_view name) {
  std::string text = fmt::format("{}", value / unit);
  if (value % unit != 0) {
    std::string fraction = fmt::format("{:0{}}", value % unit, static_cast<int>(std::log10(static_cast<double>(unit)) + 0.5));
    fraction.erase(fraction.find_last_not_of('0') + 1);
    text += "." + fraction;
  }
  return text + std::string(name);
}

}  // namespace

std::chrono::nanoseconds parse_duration(std::string_view text) {
  std::string_view rest = text;
  const bool negative = rest.starts_with('-');
  if (rest.starts_with('-') || rest.starts_with('+')) rest.remove_prefix(1);
  if (rest == "0") return std::chrono::nanoseconds(0);
  if (rest.empty()) bad(text);
  double total = 0;
  while (!rest.empty()) {
    std::size_t digits = 0;
    while (digits < rest.size() && (std::isdigit(static_cast<unsigned char>(rest[digits])) || rest[digits] == '.')) ++digits;
    if (digits == 0 || digits > 18) bad(text);
    const double number = std::strtod(std::string(rest.substr(0, digits)).c_str(), nullptr);
    rest.remove_prefix(digits);
    const std::pair<std::string_view, double>* unit = nullptr;
    for (const auto& candidate : units) {
      if (rest.starts_with(candidate.first) && (!unit || candidate.first.size() > unit->first.size())) unit = &candidate;
    }
    if (!unit) bad(text);
    rest.remove_prefix(unit->first.size());
    total += number * unit->second;
  }
  if (total > 9.2e18) bad(text);
  return std::chrono::nanoseconds(std::llround(negative ? -total : total));
}

std::string format_duration(std::chrono::nanoseconds duration) {
  long long value = duration.count();
  if (value == 0) return "0s";
  std::string text = value < 0 ? "-" : "";
  value = std::abs(value);
  if (value < 1000) return text + fmt::format("{}ns", value);
  if (value < 1'000'000) return text + with_fraction(value, 1000, "\xc2\xb5s");
  if (value < 1'000'000'000) return text + with_fraction(value, 1'000'000, "ms");
  const long long seconds = value / 1'000'000'000;
  if (seconds >= 3600) text += fmt::format("{}h", seconds / 3600);
  if (seconds >= 60) text += fmt::format("{}m", seconds / 60 % 60);
  return text + with_fraction(value % 60'000'000'000, 1'000'000'000, "s");
}

}  // namespace kiln::engine::dockerfile
