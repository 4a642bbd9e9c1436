// Running a build that a command line asked for.
#pragma once

#include <cstddef>
#include <optional>
#include <string>

#include "engine/build/request.hpp"

namespace kiln::tools {

struct RunSettings {
  std::size_t memory_budget = 96U << 20U;  // bytes of buffers
  bool live = false;
  std::optional<std::string> dockerfile_text;  // given as such instead of as a path
  std::string trace_file;                      // --trace-file; empty: none
  std::string kaniko_directory;                // --kaniko-dir: where the work directory is made; empty: chosen
};

// Fills in what does not depend on flags (work directory, kiln's directory, SOURCE_DATE_EPOCH), builds, logs the
// summary.
engine::BuildResult run_build(engine::BuildRequest request, const RunSettings& settings);

}  // namespace kiln::tools
