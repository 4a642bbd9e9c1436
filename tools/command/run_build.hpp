// Running a build that a command line asked for.
#pragma once

#include <cstddef>
#include <string>

#include "engine/build/request.hpp"

namespace kiln::tools {

struct RunSettings {
  std::size_t memory_budget = 96U << 20U;  // bytes of buffers
  bool live = false;
};

// Fills in what does not depend on flags (work directory, kiln's directory, SOURCE_DATE_EPOCH), builds, logs the summary.
engine::BuildResult run_build(engine::BuildRequest request, const RunSettings& settings);

// "64m" -> bytes; k, m, g are powers of 1024. Errors: io::Error(usage) naming the flag.
std::uint64_t parse_size(const std::string& flag, const std::string& text);

// A --build-arg: NAME=value, or NAME alone, which takes the variable of that name (empty if unset).
void add_build_arg(engine::BuildRequest& request, const std::string& text);

// KEY=value for --label, --annotation and their like. Errors: io::Error(usage) naming the flag.
std::pair<std::string, std::string> parse_pair(const std::string& flag, const std::string& text);

// The Dockerfile: as it is from the current directory, else below the context. Errors: io::Error(usage).
std::string find_dockerfile(const std::string& path, const std::string& context);

}  // namespace kiln::tools
