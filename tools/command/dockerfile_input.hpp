// The Dockerfile that kiln check and kiln plan look at, and what a build of it would be asked for.
#pragma once

#include <string>
#include <string_view>

#include "engine/plan/plan.hpp"
#include "tools/command/flags.hpp"

namespace kiln::tools {

struct DockerfileInput {
  std::string name;     // of the file, as it is told
  std::string path;     // "-": standard input
  std::string context;  // absolute; empty: only a file was named
  std::string text;
  engine::PlanOptions options;
};

// Errors: io::Error(context) naming the path.
std::string read_dockerfile(const std::string& path);

// From the one argument (a directory, a Dockerfile, or "-" for standard input) and the flags file, build-arg, build-context,
// target and platform. Errors: io::Error(usage) naming `command` or the flag; io::Error(context) for a file that cannot be read.
DockerfileInput read_input(std::string_view command, const ParsedFlags& flags);

// Errors: io::Error(unsupported) for a frontend that is not built in; SyntaxError.
engine::dockerfile::Dockerfile parse_input(const DockerfileInput& input);

}  // namespace kiln::tools
