// The command line of Kaniko's executor.
#pragma once

#include <string>
#include <vector>

#include "engine/build/request.hpp"
#include "tools/command/logging.hpp"
#include "tools/command/run_build.hpp"

namespace kiln::tools {

int executor_main(int argc, char** argv);

struct ExecutorCommand {
  engine::BuildRequest request;
  RunSettings run;
  LogSettings log;
  bool version = false;
  std::string explain;                // --explain-cache
  std::string text;                   // to print instead of building: help, tables
  std::vector<std::string> warnings;  // to log once the log is set up
};

// Arguments without the program's name, in pflag's syntax. Errors: io::Error(usage) naming the flag; for an unknown one
// the nearest that is known.
ExecutorCommand parse_executor(const std::vector<std::string>& arguments);

}  // namespace kiln::tools
