// Resolving a stage: its instructions, with the config of its base, become Steps and the config of the result.
//
// Everything that does not depend on running something is decided here: variables, ARG and ENV precedence, working
// directory, shell, ONBUILD triggers, history entries. Pure functions.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "engine/mounts/mount.hpp"
#include "engine/plan/plan.hpp"
#include "oci/image/config.hpp"

namespace kiln::engine {

// A mount of a RUN, placed, and what its from= means; nothing: the build context (cache: an empty directory).
struct RunMount {
  Mount mount;
  std::optional<Source> from;
};

struct RunStep {
  std::vector<std::string> arguments;
  std::string script;                    // of a heredoc that starts with #!: executed as `script_path`; usually empty
  std::string script_path;               // absolute
  std::vector<std::string> environment;  // NAME=value: ENV, then ARGs in scope; HOME is added when it runs
  std::vector<std::string> proxies;      // NAME=value, added when it runs: they change no result
  std::string user;                      // as in the config; resolved in the image when it runs
  std::string working_directory;
  std::vector<RunMount> mounts;
  bool no_network = false;
};

struct CopyStep {
  bool is_add = false;
  std::optional<Source> from;                                 // nothing: the build context
  std::vector<std::string> sources;                           // expanded
  std::vector<std::pair<std::string, std::string>> heredocs;  // name, bytes
  std::string destination;                                    // absolute; a trailing '/' means a directory
  std::optional<std::string> chown;
  std::optional<std::string> chmod;
  std::vector<std::string> excludes;
  bool link = false;
  bool parents = false;
  std::optional<bool> unpack;
  std::optional<std::string> checksum;
  bool keep_git_dir = false;
};

struct WorkdirStep {
  std::string path;  // absolute, cleaned
  std::string user;
};

struct Step {
  std::variant<RunStep, CopyStep, WorkdirStep> action;
  std::string text;  // the instruction on one line, for people
  dockerfile::Location location;
  std::size_t history = 0;  // its entry in the config's history
};

struct ResolvedStage {
  std::vector<Step> steps;
  oci::ImageConfig config;                 // of the result; diff ids of the base only, history with this stage's entries
  std::vector<dockerfile::KeyValue> args;  // declared, with their values: stages built on this one inherit them
  bool runs = false;                       // has a RUN
  std::vector<std::string> left_out;       // without a known base: errors that it might prevent; their instructions are not done
};

struct StageInput {
  oci::ImageConfig base;
  std::vector<dockerfile::KeyValue> inherited_args;  // of a stage that this one is built on
  // RFC 3339 text for new history entries; empty: each takes the time of a layer when all of them are there.
  std::string created;
  bool base_known = true;  // else `base` stands in for it: variables may have values, and the directory is another
};

// Errors: io::Error(dockerfile or unsupported) with the Dockerfile's name and line.
ResolvedStage resolve_stage(const Plan& plan, const PlannedStage& stage, const std::string& file_name, StageInput input);

// The config that `FROM scratch` starts with: WorkingDir "/" and the default PATH.
oci::ImageConfig scratch_config(const oci::Platform& platform);

inline constexpr std::string_view default_path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

}  // namespace kiln::engine
