#include "tools/command/flags.hpp"

#include <algorithm>
#include <memory>

#include <fmt/format.h>

#include "engine/dockerfile/suggest.hpp"
#include "io/base/error.hpp"

namespace kiln::tools {

namespace {

std::string long_name(const std::string& names) {
  const auto at = names.find("--");
  const auto end = names.find(',', at);
  return names.substr(at, end == std::string::npos ? std::string::npos : end - at);
}

bool parse_boolean(const std::string& flag, const std::string& text) {
  for (const char* yes : {"true", "1", "t", "T", "TRUE", "True"}) {
    if (text == yes) return true;
  }
  for (const char* no : {"false", "0", "f", "F", "FALSE", "False"}) {
    if (text == no) return false;
  }
  throw io::Error(io::ErrorKind::usage, fmt::format("{}={}: it is true or false", flag, text));
}

}  // namespace

FlagSet::FlagSet(const std::string& description, const std::string& name) : app_(description, name) {
  app_.option_defaults()->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
}

void FlagSet::text(const std::string& names, std::string& value, const std::string& help) {
  names_.push_back(long_name(names));
  app_.add_option(names, value, help)->capture_default_str();
}

void FlagSet::list(const std::string& names, std::vector<std::string>& value, const std::string& help) {
  names_.push_back(long_name(names));
  app_.add_option(names, value, help)->expected(1)->multi_option_policy(CLI::MultiOptionPolicy::TakeAll)->delimiter('\0');
}

void FlagSet::integer(const std::string& names, int& value, const std::string& help) {
  names_.push_back(long_name(names));
  app_.add_option(names, value, help)->capture_default_str();
}

void FlagSet::boolean(const std::string& names, bool& value, const std::string& help) {
  const std::string name = long_name(names);
  names_.push_back(name);
  CLI::Option* option = app_.add_flag(names, help);
  option->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
  checks_.push_back([option, &value, name] {
    if (option->count() > 0) value = parse_boolean(name, option->results().back());
  });
}

void FlagSet::accepted(const std::string& names, bool takes_value, const std::string& why) {
  names_.push_back(long_name(names));
  if (takes_value) {
    app_.add_option(names, why)->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  } else {
    app_.add_flag(names, why);
  }
}

void FlagSet::refused(const std::string& name, bool takes_value, const std::string& harmless_value, const std::string& why) {
  names_.push_back(name);
  CLI::Option* option = takes_value ? app_.add_option(name, why) : app_.add_flag(name, why);
  option->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  checks_.push_back([option, name, harmless_value, why] {
    for (const auto& value : option->results()) {
      if (value != harmless_value) throw io::Error(io::ErrorKind::unsupported, fmt::format("{}={}: {}", name, value, why));
    }
  });
}

void FlagSet::explain_unknown(const std::string& argument) const {
  const std::string name = argument.substr(0, argument.find('='));
  if (!name.starts_with('-')) throw io::Error(io::ErrorKind::usage, fmt::format("unexpected argument '{}'", argument));
  throw io::Error(io::ErrorKind::usage, fmt::format("unknown flag: {}{}", name, engine::dockerfile::did_you_mean(name, names_)));
}

bool FlagSet::parse(std::vector<std::string> arguments) {
  std::reverse(arguments.begin(), arguments.end());  // CLI11 takes them from the back
  try {
    app_.allow_extras();
    app_.parse(arguments);
  } catch (const CLI::CallForHelp&) {
    fmt::print("{}", app_.help());
    return false;
  } catch (const CLI::ParseError& error) {
    throw io::Error(io::ErrorKind::usage, error.what());
  }
  const auto extras = app_.remaining();
  if (!extras.empty()) explain_unknown(extras.front());
  for (const auto& check : checks_) check();
  return true;
}

}  // namespace kiln::tools
