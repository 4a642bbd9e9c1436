#include "tools/command/flags.hpp"

#include <algorithm>
#include <charconv>
#include <optional>

#include <fmt/format.h>

#include "engine/dockerfile/csv.hpp"
#include "engine/dockerfile/suggest.hpp"
#include "engine/dockerfile/text.hpp"
#include "io/base/error.hpp"

namespace kiln::tools {

namespace {

// Go's ParseInt with base 0, as far as anybody writes it: a sign and decimal digits.
std::optional<int> parse_integer(std::string_view text) {
  if (text.starts_with('+')) text.remove_prefix(1);
  int value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

const Flag* find_long(std::span<const Flag> table, std::string_view name) {
  const auto found = std::find_if(table.begin(), table.end(), [&](const Flag& flag) {
    return flag.name == name || (!flag.old_name.empty() && flag.old_name == name);
  });
  return found == table.end() ? nullptr : &*found;
}

const Flag* find_short(std::span<const Flag> table, char name) {
  const auto found = std::find_if(table.begin(), table.end(), [&](const Flag& flag) { return flag.short_name == name; });
  return found == table.end() ? nullptr : &*found;
}

// The flag that somebody means who writes `name`: what is spelled nearly so, in its old spelling too, else what begins so.
std::string meant(std::span<const Flag> table, std::string_view name) {
  std::vector<std::string> names = {"help"};
  std::string_view beginning;
  for (const auto& flag : table) {
    if (flag.hidden) continue;
    names.emplace_back(flag.name);
    if (!flag.old_name.empty()) names.emplace_back(flag.old_name);
    if (flag.name.starts_with(name) && (beginning.empty() || flag.name.size() < beginning.size())) beginning = flag.name;
  }
  const std::string nearest = engine::dockerfile::nearest(name, names, std::max<std::size_t>(1, name.size() / 3));
  if (nearest.empty()) return std::string(beginning);
  const Flag* flag = find_long(table, nearest);
  return flag ? std::string(flag->name) : nearest;
}

[[noreturn]] void unknown(std::span<const Flag> table, std::string_view name) {
  const std::string known = meant(table, name);
  usage_error(fmt::format("unknown flag: --{}{}", name,
                          known.empty() ? "; --help lists those that there are" : fmt::format(" (did you mean --{}?)", known)));
}

std::string_view value_name(ValueKind kind) {
  switch (kind) {
    case ValueKind::boolean: return "";
    case ValueKind::integer: return "int";
    case ValueKind::text: return "string";
    case ValueKind::list: return "string, repeatable";
    case ValueKind::slice: return "strings, repeatable";
  }
  return "";
}

std::string_view state_prefix(FlagState state) {
  if (state == FlagState::needless) return "no effect: ";
  return state == FlagState::refused ? "refused: " : "";
}

// A default that says something.
std::string default_text(const Flag& flag) {
  const bool dull = flag.default_value.empty() || (flag.kind == ValueKind::boolean && flag.default_value == "false") ||
                    (flag.kind == ValueKind::integer && flag.default_value == "0");
  return dull ? "" : std::string(flag.default_value);
}

// The arguments, with a cursor.
struct Reader {
  std::span<const Flag> table;
  const std::vector<std::string>& arguments;
  std::size_t at = 0;

  std::string next_value(const std::string& written) {
    if (at >= arguments.size()) usage_error(fmt::format("flag needs an argument: {}", written));
    return arguments[at++];
  }
};

}  // namespace

[[noreturn]] void usage_error(const std::string& message) { throw io::Error(io::ErrorKind::usage, message); }

const Flag& ParsedFlags::find(std::string_view name) const {
  const Flag* flag = find_long(table_, name);
  if (!flag) throw io::Error(io::ErrorKind::internal, fmt::format("no flag --{} in the table", name));
  return *flag;
}

void ParsedFlags::add(const Flag& flag, const std::string& written, const std::string& value) {
  if (flag.kind == ValueKind::boolean) parse_boolean(written, value);
  if (flag.kind == ValueKind::integer && !parse_integer(value))
    usage_error(fmt::format("{}={}: it is a whole number", written, value));
  if (flag.state == FlagState::refused && value != flag.default_value) {
    throw io::Error(io::ErrorKind::unsupported, fmt::format("{}={}: {}", written, value, flag.help));
  }
  auto& values = values_[flag.name];
  if (flag.kind == ValueKind::slice) {
    for (auto& field : split_csv(written, value)) values.push_back(std::move(field));
  } else if (flag.kind == ValueKind::list) {
    values.push_back(value);
  } else {
    values.assign(1, value);
  }
}

bool ParsedFlags::boolean(std::string_view name) const {
  const std::string value = text(name);
  return !value.empty() && parse_boolean(name, value);
}

int ParsedFlags::integer(std::string_view name) const { return parse_integer(text(name)).value_or(0); }

std::string ParsedFlags::text(std::string_view name) const {
  const Flag& flag = find(name);
  const auto values = values_.find(flag.name);
  return values == values_.end() || values->second.empty() ? std::string(flag.default_value) : values->second.back();
}

std::vector<std::string> ParsedFlags::list(std::string_view name) const {
  const auto values = values_.find(find(name).name);
  return values == values_.end() ? std::vector<std::string>() : values->second;
}

namespace {

// "--name" or "--name=value".
struct LongFlag {
  std::string name;
  std::optional<std::string> value;
};

LongFlag split_long(const std::string& argument) {
  LongFlag flag;
  const auto equals = argument.find('=');
  flag.name = argument.substr(2, equals == std::string::npos ? std::string::npos : equals - 2);
  if (flag.name.empty() || flag.name.front() == '-') usage_error(fmt::format("bad flag syntax: {}", argument));
  if (equals != std::string::npos) flag.value = argument.substr(equals + 1);
  return flag;
}

}  // namespace

ParsedFlags parse_flags(std::span<const Flag> table, const std::vector<std::string>& arguments) {
  ParsedFlags parsed(table);
  Reader reader{table, arguments};
  const auto take_long = [&](const std::string& argument) {
    LongFlag written = split_long(argument);
    const Flag* flag = find_long(table, written.name);
    if (!flag && written.name == "help") {
      parsed.help = true;
      return;
    }
    if (!flag) unknown(table, written.name);
    const std::string dashed = "--" + written.name;
    if (written.name != flag->name) parsed.warnings.push_back(fmt::format("{} is deprecated: it is --{} now", dashed, flag->name));
    if (!written.value) written.value = flag->kind == ValueKind::boolean ? "true" : reader.next_value(dashed);
    parsed.add(*flag, dashed, *written.value);
  };
  // "-abc value": switches, the last may take a value; "-c=value", "-cvalue".
  const auto take_short = [&](const std::string& argument) {
    for (std::size_t i = 1; i < argument.size(); ++i) {
      const Flag* flag = find_short(table, argument[i]);
      if (!flag && argument[i] == 'h') {
        parsed.help = true;
        return;
      }
      if (!flag) usage_error(fmt::format("unknown shorthand flag: '{}' in {}", argument[i], argument));
      const std::string dashed = fmt::format("-{}", argument[i]);
      const std::string rest = argument.substr(i + 1);
      if (rest.starts_with('=')) {
        parsed.add(*flag, dashed, rest.substr(1));
      } else if (flag->kind == ValueKind::boolean) {
        parsed.add(*flag, dashed, "true");
        continue;
      } else {
        parsed.add(*flag, dashed, rest.empty() ? reader.next_value(dashed) : rest);
      }
      return;
    }
  };
  while (reader.at < arguments.size()) {
    const std::string& argument = arguments[reader.at++];
    if (argument == "--") {
      parsed.arguments.insert(parsed.arguments.end(), arguments.begin() + static_cast<std::ptrdiff_t>(reader.at), arguments.end());
      break;
    }
    if (argument.size() < 2 || argument[0] != '-') {
      parsed.arguments.push_back(argument);
    } else if (argument[1] == '-') {
      take_long(argument);
    } else {
      take_short(argument);
    }
  }
  return parsed;
}

std::string flag_help(std::span<const Flag> table) {
  std::string text;
  for (const auto& flag : table) {
    if (flag.hidden) continue;
    std::string name =
        flag.short_name ? fmt::format("  -{}, --{}", flag.short_name, flag.name) : fmt::format("      --{}", flag.name);
    const std::string_view value = value_name(flag.kind);
    if (!value.empty()) name += fmt::format(" {}", value.substr(0, value.find(',')));
    const std::string standard = default_text(flag);
    text += fmt::format("{:<46} {}{}{}\n", name, state_prefix(flag.state), flag.help,
                        standard.empty() ? "" : fmt::format(" (default {})", standard));
  }
  return text + fmt::format("{:<46} {}\n", "  -h, --help", "this text");
}

std::string flag_markdown(std::span<const Flag> table) {
  std::string text = "| flag | value | what it does |\n| --- | --- | --- |\n";
  for (const auto& flag : table) {
    std::string name = fmt::format("`--{}`", flag.name);
    if (flag.short_name) name += fmt::format(", `-{}`", flag.short_name);
    if (!flag.old_name.empty()) name += fmt::format(", `--{}`", flag.old_name);
    std::string value(value_name(flag.kind));
    if (const std::string standard = default_text(flag); !standard.empty())
      value += fmt::format("{}`{}`", value.empty() ? "" : " ", standard);
    const std::string_view prefix = state_prefix(flag.state);
    std::string help(flag.help);
    for (std::size_t at = 0; (at = help.find('|', at)) != std::string::npos; at += 2) help.insert(at, "\\");
    text += fmt::format("| {} | {} | {}{} |\n", name, value,
                        prefix.empty() ? "" : fmt::format("*{}*", prefix.substr(0, prefix.size() - 1)) + " ", help);
  }
  return text;
}

std::vector<std::string> split_csv(const std::string& flag, const std::string& text) {
  try {
    return engine::dockerfile::parse_csv_record(text);
  } catch (const io::Error& error) {
    usage_error(fmt::format("{}={}: {}", flag, text, error.message()));
  }
}

bool parse_boolean(std::string_view name, std::string_view text) {
  if (const auto parsed = engine::dockerfile::parse_boolean(text)) return *parsed;
  usage_error(fmt::format("{}={}: it is true or false", name, text));
}

std::pair<std::string, std::string> parse_pair(const std::string& flag, const std::string& text) {
  const auto equals = text.find('=');
  if (equals == std::string::npos || equals == 0) usage_error(fmt::format("{}={}: it is written key=value", flag, text));
  return {text.substr(0, equals), text.substr(equals + 1)};
}

std::uint64_t parse_size(const std::string& flag, const std::string& text) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  const std::string_view unit(end, static_cast<std::size_t>(text.data() + text.size() - end));
  unsigned shift = 0;
  if (unit == "k" || unit == "K") shift = 10;
  if (unit == "m" || unit == "M") shift = 20;
  if (unit == "g" || unit == "G") shift = 30;
  if (error != std::errc() || (!unit.empty() && shift == 0) || value > (UINT64_MAX >> 32U)) {
    usage_error(fmt::format("{}={}: it is a number of bytes, with k, m or g for 1024, 1024^2, 1024^3", flag, text));
  }
  return value << shift;
}

}  // namespace kiln::tools
