// Flags in the syntax of pflag, which Kaniko uses, over CLI11.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include <CLI/CLI.hpp>

namespace kiln::tools {

class FlagSet {
 public:
  explicit FlagSet(const std::string& description, const std::string& name);

  // Names as CLI11 writes them ("-c,--context"). Texts keep their last value, lists append one element an occurrence.
  void text(const std::string& names, std::string& value, const std::string& help);
  void list(const std::string& names, std::vector<std::string>& value, const std::string& help);
  void integer(const std::string& names, int& value, const std::string& help);
  // --flag, --flag=true, --flag=false; the next argument is never its value.
  void boolean(const std::string& names, bool& value, const std::string& help);
  // Known from Kaniko and without need here: accepted with any value.
  void accepted(const std::string& names, bool takes_value, const std::string& why);
  // Known from Kaniko and not honoured yet: any use that would change the result is Error(unsupported) naming the flag.
  void refused(const std::string& name, bool takes_value, const std::string& harmless_value, const std::string& why);

  CLI::App& app() { return app_; }
  // Errors: io::Error(usage). Gives false when help was printed.
  bool parse(std::vector<std::string> arguments);

 private:
  void explain_unknown(const std::string& argument) const;
  CLI::App app_;
  std::vector<std::string> names_;  // long names, for suggestions
  std::vector<std::function<void()>> checks_;
};

}  // namespace kiln::tools
