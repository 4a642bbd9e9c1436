// Running a build that a command line asked for.
#pragma once

#include <cstddef>
#include <optional>
#include <string>

#include "engine/build/request.hpp"
#include "engine/context/remote.hpp"

namespace kiln::tools {

struct RunSettings {
  std::size_t memory_budget = 96U << 20U;  // bytes of buffers
  bool live = false;
  std::optional<engine::RemoteContext> context;  // to be fetched first; `request` then has no context and no Dockerfile
  std::string dockerfile;                        // to be looked for once the context is there: a path or an http(s) URL
  bool dockerfile_from_here = true;              // a path is looked for in the current directory, too, and first
  std::optional<std::string> dockerfile_text;    // given as such instead of as a path
  std::string saved_image;                       // to be pushed instead of building: an archive or a layout
  std::string trace_file;                        // --trace-file; empty: none
  std::string kaniko_directory;                  // --kaniko-dir: where the work directory is made; empty: chosen
};

// Fills in what does not depend on flags (work directory, kiln's directory, SOURCE_DATE_EPOCH), builds, logs the
// summary.
engine::BuildResult run_build(engine::BuildRequest request, const RunSettings& settings);

}  // namespace kiln::tools
