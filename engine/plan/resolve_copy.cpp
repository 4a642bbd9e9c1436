#include "engine/dockerfile/history_text.hpp"
#include "engine/dockerfile/words.hpp"
#include "engine/plan/path.hpp"
#include "engine/plan/stage_resolver.hpp"
#include "engine/steps/mode.hpp"
#include "io/base/error.hpp"

namespace kiln::engine {

namespace {

// `written` is where it stands. Not only when the step's turn has come: that may be late.
void check_mode(const std::string& mode, const std::string& written) {
  try {
    const ModeChange change(mode);
  } catch (const io::Error& error) {
    throw dockerfile::WordError(error.message(), written);
  }
}

}  // namespace

void StageResolver::apply(const dockerfile::Copy& copy) {
  CopyStep step;
  step.is_add = copy.is_add;
  if (copy.from) step.from = resolve_from(plan_, stage_.index, *copy.from);
  step.sources = expand_all(copy.sources);
  for (const auto& heredoc : copy.heredocs) {
    const std::string body = heredoc.expand ? dockerfile::expand_heredoc(heredoc.body, lookups()) : heredoc.body;
    step.heredocs.emplace_back(heredoc.name, body);
  }
  const std::string destination = expand(copy.destination);
  step.destination = absolute_path(directory(), destination);
  if (copy.chown) step.chown = expand(*copy.chown);
  if (copy.chmod) {
    step.chmod = expand(*copy.chmod);
    check_mode(*step.chmod, *copy.chmod);
  }
  step.excludes = copy.excludes;
  step.link = copy.link;
  step.parents = copy.parents;
  step.unpack = copy.unpack;
  step.keep_git_dir = copy.keep_git_dir;
  if (copy.checksum) step.checksum = expand(*copy.checksum);
  dockerfile::CopyHistory said;
  said.is_add = copy.is_add;
  said.parents = copy.parents;
  said.chown = step.chown;
  said.chmod = step.chmod;
  said.sources = step.sources;
  for (const auto& heredoc : step.heredocs) said.sources.push_back("<<" + heredoc.first);
  said.destination = destination;
  add_step(std::move(step), dockerfile::history_of_copy(said));
}

// An absolute path stays in the config as it was written, only what is joined is cleaned (BuildKit's NormalizePath).
void StageResolver::apply(const dockerfile::Workdir& workdir) {
  const std::string written = expand(workdir.path);
  const std::string path = absolute_path(directory(), written, false);
  if (!written.empty()) result_.config.working_dir = written.starts_with('/') ? written : path;
  const std::string said = directory();
  if (said == "/") {
    add_history("WORKDIR /", true);
    return;
  }
  WorkdirStep step{path, result_.config.user};
  add_step(std::move(step), "WORKDIR " + said);
}

}  // namespace kiln::engine
