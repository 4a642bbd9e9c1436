// Plan: which stages a target needs and what each of them stands on. Pure data, made before anything runs.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "engine/dockerfile/instruction.hpp"
#include "engine/plan/epoch.hpp"
#include "oci/image/platform.hpp"
#include "oci/image/reference.hpp"

namespace kiln::engine {

// What a stage starts from, or what COPY --from reads.
struct Source {
  enum class Kind { scratch, stage, image, context };
  Kind kind = Kind::scratch;
  int stage = -1;          // Kind::stage
  oci::Reference image;    // Kind::image
  oci::Platform platform;  // Kind::image; Kind::context: should it hold images for several
  std::string context;     // Kind::context: a name in PlanOptions::named_contexts

  bool is_outside() const { return kind == Kind::image || kind == Kind::context; }
};

struct PlannedStage {
  int index = 0;
  std::string name;  // AS, or "stage-N"
  bool named = false;
  Source base;
  const dockerfile::StageText* text = nullptr;  // in Plan::file
  bool replaced = false;                        // by the named context that is its base: none of its instructions counts
  bool needed = false;
  std::set<int> copies_from;  // stages that COPY --from and RUN --mount=from= of this stage read
};

struct PlanOptions {
  std::map<std::string, std::string> build_args;  // resolved
  std::string target;                             // name or index; empty: the last stage
  std::vector<std::string> more_targets;          // stages to build besides, and what they need
  oci::Platform platform;                         // of the image
  oci::Platform build_platform;                   // of this machine
  // --build-context: a directory, docker-image://REFERENCE, oci-layout://DIRECTORY[:NAME][@DIGEST], a git repository or a URL. A
  // name stands for what it is given wherever FROM, COPY --from, a mount's from or the target would mean a stage or an image by it;
  // "name::os/arch" goes first.
  std::map<std::string, std::string> named_contexts;
  std::optional<LookedUpEpoch> looked_up_epoch;  // what Plan::epoch of a plan without it names
};

struct Plan {
  dockerfile::Dockerfile file;
  std::vector<PlannedStage> stages;
  int target = 0;
  std::set<int> targets;  // it, and those of PlanOptions::more_targets
  PlanOptions options;
  std::map<std::string, std::string> global_args;  // ARG before FROM with their values, platform arguments included
  EpochSource epoch;
  // Seconds; not known while what `epoch` names is not looked up.
  std::optional<std::int64_t> source_date_epoch;
};

// Errors: io::Error(dockerfile) with file name and line; an unknown target suggests the nearest stage name.
Plan make_plan(dockerfile::Dockerfile file, const std::string& file_name, PlanOptions options);

// What `--from=text` means in stage `stage`: an earlier stage by number or name (the last one of that name), else an image.
// Errors: io::Error(dockerfile) for a stage that is not earlier, a number that no stage has, and text that is no reference.
Source resolve_from(const Plan& plan, int stage, const std::string& text);

}  // namespace kiln::engine
