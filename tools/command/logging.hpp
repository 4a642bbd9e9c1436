// Log lines on standard error: text, colour or JSON.
#pragma once

#include <string>

namespace kiln::tools {

// level: Kaniko's names (trace, debug, info, warn, error, fatal, panic); format: text, color, json. Errors: io::Error(usage).
void set_up_logging(const std::string& level, const std::string& format, bool timestamps);

}  // namespace kiln::tools
