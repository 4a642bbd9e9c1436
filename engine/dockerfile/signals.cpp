#include "engine/dockerfile/signals.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <string_view>

#include <fmt/format.h>

#include "engine/dockerfile/text.hpp"
#include "io/base/error.hpp"

namespace kiln::engine::dockerfile {

namespace {

constexpr std::array<std::string_view, 36> names = {"ABRT", "ALRM",   "BUS",  "CHLD",   "CLD",   "CONT", "FPE",  "HUP",   "ILL",
                                                    "INT",  "IO",     "IOT",  "KILL",   "PIPE",  "POLL", "PROF", "PWR",   "QUIT",
                                                    "SEGV", "STKFLT", "STOP", "SYS",    "TERM",  "TRAP", "TSTP", "TTIN",  "TTOU",
                                                    "URG",  "USR1",   "USR2", "VTALRM", "WINCH", "XCPU", "XFSZ", "RTMIN", "RTMAX"};

}  // namespace

void check_signal(const std::string& text) {
  const bool number =
      !text.empty() && text.size() < 4 && std::all_of(text.begin(), text.end(), [](unsigned char c) { return std::isdigit(c); });
  if (number && std::stoi(text) >= 1 && std::stoi(text) <= 64) return;
  std::string name = upper(text);
  if (name.starts_with("SIG")) name.erase(0, 3);
  std::string base = name.substr(0, name.find_first_of("+-"));
  if (base != "RTMIN" && base != "RTMAX") base = name;
  if (!number && std::find(names.begin(), names.end(), base) != names.end()) return;
  throw io::Error(io::ErrorKind::dockerfile, fmt::format("invalid signal: {}", text));
}

}  // namespace kiln::engine::dockerfile
