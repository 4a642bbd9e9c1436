// Flags in the syntax of pflag, which Kaniko and docker use, described by one table a command: parsing, --help and the
// table in the README come from it.
//
//   --flag value   --flag=value   -f value   -fvalue   -f=value   --switch   --switch=false   --   (ends the flags)
//
// The value of a flag that is no switch is the next argument, whatever that looks like; a switch never takes it.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace kiln::tools {

enum class ValueKind {
  boolean,  // as Go's ParseBool reads it
  text,     // the last one counts
  integer,  // the same
  list,     // each occurrence is one element, commas included
  slice,    // repeatable, and each occurrence is a CSV line
};

enum class FlagState {
  honoured,
  needless,  // accepted with any value: kiln does without
  refused,   // any value but the default is an error that says why
};

struct Flag {
  std::string_view name;  // without dashes
  char short_name = 0;    // 0: none
  ValueKind kind = ValueKind::text;
  std::string_view default_value;
  std::string_view help;  // what it does; for others than honoured: why not
  FlagState state = FlagState::honoured;
  std::string_view old_name = "";  // deprecated spelling, accepted with a warning
  bool hidden = false;             // not in --help
};

class ParsedFlags {
 public:
  explicit ParsedFlags(std::span<const Flag> table) : table_(table) {}
  bool given(std::string_view name) const { return values_.contains(find(name).name); }
  bool boolean(std::string_view name) const;
  int integer(std::string_view name) const;
  std::string text(std::string_view name) const;
  std::vector<std::string> list(std::string_view name) const;

  std::vector<std::string> arguments;  // those that belong to no flag
  std::vector<std::string> warnings;   // deprecated spellings
  bool help = false;                   // --help or -h

 private:
  friend ParsedFlags parse_flags(std::span<const Flag>, const std::vector<std::string>&);
  const Flag& find(std::string_view name) const;
  void add(const Flag& flag, const std::string& written, const std::string& value);

  std::span<const Flag> table_;
  std::map<std::string_view, std::vector<std::string>> values_;
};

// Errors: io::Error(usage) naming the flag, and for an unknown one the nearest that is known; io::Error(unsupported)
// for one that is refused.
ParsedFlags parse_flags(std::span<const Flag> table, const std::vector<std::string>& arguments);

// Lines of --help, one flag each.
std::string flag_help(std::span<const Flag> table);
// A Markdown table with the state of every flag.
std::string flag_markdown(std::span<const Flag> table);

// An io::Error(usage).
[[noreturn]] void usage_error(const std::string& message);

// A line of CSV (RFC 4180): fields may be quoted, a doubled quote is one. Errors: io::Error(usage) naming the flag.
std::vector<std::string> split_csv(const std::string& flag, const std::string& text);

// As Go's ParseBool. Errors: io::Error(usage) naming `name`.
bool parse_boolean(std::string_view name, std::string_view text);

// KEY=value. Errors: io::Error(usage) naming the flag.
std::pair<std::string, std::string> parse_pair(const std::string& flag, const std::string& text);

// "64m" -> bytes; k, m, g are powers of 1024. Errors: io::Error(usage) naming the flag.
std::uint64_t parse_size(const std::string& flag, const std::string& text);

}  // namespace kiln::tools
