// Log lines on standard error: text, colour or JSON.
#pragma once

#include <string>
#include <string_view>

#include <nlohmann/json.hpp>

#include "tools/command/flags.hpp"

namespace kiln::tools {

struct LogSettings {
  std::string level = "info";    // Kaniko's names: trace, debug, info, warn, error, fatal, panic
  std::string format = "color";  // text, color, json
  bool timestamps = false;
};

// What --verbosity, --log-format and --log-timestamp say.
LogSettings log_settings(const ParsedFlags& flags);

// A line at level info that the text formats show as `text`. JSON has it as "msg" after "level", then "time" and "event", then the
// fields: programs may rely on these names.
using LogFields = nlohmann::ordered_json;
void log_event(std::string_view event, LogFields fields, std::string_view text);

// Errors: io::Error(usage) naming the flag.
void set_up_logging(const LogSettings& settings);

}  // namespace kiln::tools
