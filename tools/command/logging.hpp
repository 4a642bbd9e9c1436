// Log lines on standard error: text, colour or JSON.
#pragma once

#include <string>

#include "tools/command/flags.hpp"

namespace kiln::tools {

struct LogSettings {
  std::string level = "info";    // Kaniko's names: trace, debug, info, warn, error, fatal, panic
  std::string format = "color";  // text, color, json
  bool timestamps = false;
};

// What --verbosity, --log-format and --log-timestamp say.
LogSettings log_settings(const ParsedFlags& flags);

// Errors: io::Error(usage) naming the flag.
void set_up_logging(const LogSettings& settings);

}  // namespace kiln::tools
