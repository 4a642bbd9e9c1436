// The command line for people: kiln build, kiln check, kiln version.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "engine/build/request.hpp"
#include "tools/command/flags.hpp"
#include "tools/command/logging.hpp"
#include "tools/command/run_build.hpp"

namespace kiln::tools {

int kiln_main(int argc, char** argv);

struct BuildCommand {
  engine::BuildRequest request;
  RunSettings run;
  LogSettings log;
  bool quiet = false;
  std::string id_file;        // --iidfile
  std::string metadata_file;  // --metadata-file
  std::vector<std::string> warnings;
  bool help = false;
};

// Arguments after "build". `table`: build_flags(), or those and more. Errors: io::Error naming the flag.
BuildCommand parse_build(const std::vector<std::string>& arguments);
BuildCommand parse_build(const std::vector<std::string>& arguments, std::span<const Flag> table);

}  // namespace kiln::tools
