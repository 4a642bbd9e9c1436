// One stage's steps, one after the other.
#pragma once

#include "engine/build/accumulated.hpp"
#include "engine/build/layer_cache.hpp"
#include "engine/build/stage.hpp"
#include "engine/steps/copy.hpp"
#include "engine/steps/users.hpp"

namespace kiln::engine {

// The part of the build context that one source of a COPY reads. Errors: io::Error(context) when there is none.
io::Task<Tree> scan_context(Session& session, const CopyStep& step, std::string source);
// The same of a context.
io::Task<Tree> scan_source(io::Runtime& runtime, Context& context, const CopyStep& step, std::string source);
// The stages, images and contexts that a step reads from.
std::vector<Source> sources_of(const Step& step);
// The bytes of /etc/passwd and /etc/group in `tree`, which is the stage's or was, by the paths where they really are. With
// `changes`: only if they are among those.
io::Task<WholeFiles> read_users(Session& session, const StageResult& stage, const Tree& tree, const Changes* changes = nullptr);
// BUILDKIT_SANDBOX_HOSTNAME (BuildKit's build argument) with a value; null: not given.
const std::string* sandbox_hostname(const BuildRequest& request);
// A heredoc's body as a file.
Node heredoc_node(const Session& session, const std::string& body);

class StageRunner::Steps {
 public:
  Steps(StageRunner& runner, int index, StageResultPtr stage, ResolvedStage& resolved, Sandbox* sandbox, std::size_t last_run,
        std::vector<LayerCache::NewEntry> entries)
      : runner_(runner),
        session_(runner.session_),
        index_(index),
        stage_(std::move(stage)),
        resolved_(resolved),
        sandbox_(sandbox),
        last_run_(last_run),
        entries_(std::move(entries)),
        all_changes_(stage_->tree.value_or(Tree())) {}

  // From step `first` on; those before it came from the cache.
  io::Task<void> run(std::size_t first);

  static Progress::StepInfo info_of(Session& session, const std::string& stage, const ResolvedStage& resolved, std::size_t number);

 private:
  io::Task<void> run_step(std::size_t number);
  io::Task<Changes> perform(const RunStep& step, std::size_t number, int id);
  std::size_t runs_to_come(std::size_t number) const;
  io::Task<io::ExitStatus> execute(const RunStep& step, RunRequest request);
  io::Task<Changes> perform(const CopyStep& step, std::size_t number, int id);
  io::Task<Changes> perform(const WorkdirStep& step, std::size_t number, int id);
  io::Task<void> copy_from_context(const CopyStep& step, CopyOperation& operation);
  io::Task<Tree> with_mounted_files(StageResultPtr source, const CopyStep& step);
  void warn_of_mounts(const Changes& changes) const;
  io::Task<void> copy_from_stage(const CopyStep& step, Tree& destination, CopyRules rules, Changes& changes);
  io::Task<bool> add_remote(const CopyStep& step, std::string source, CopyOperation& operation);
  io::Task<Node> download(const CopyStep& step, std::string url);
  io::Task<bool> unpack(CopyOperation& operation, const Node& file, std::string name, std::string destination);
  io::Task<void> fetch_contents(const Changes& changes);
  io::Task<UserDatabase> users();
  io::Task<CopyRules> rules_for(const CopyStep& step);
  Progress::StepOutcome outcome_of(const Changes& changes) const;
  io::Task<std::int64_t> record(const Changes& changes, std::size_t number);
  io::Task<std::int64_t> capture(Changes changes, LayerCache::NewEntry entry);

  class Mounts;  // what one RUN finds mounted
  friend class Mounts;

  StageRunner& runner_;
  Session& session_;
  int index_;
  StageResultPtr stage_;
  ResolvedStage& resolved_;
  Sandbox* sandbox_;
  std::size_t last_run_;  // steps before it must be on disk; 0: there is no RUN, and nothing is to be left there
  std::vector<LayerCache::NewEntry> entries_;  // of each step; without a key where the cache has no use for it
  AccumulatedChanges all_changes_;             // for --single-snapshot
  std::unique_ptr<Detector> detector_;
  std::optional<std::chrono::nanoseconds> snapshot_took_;  // of the step that is running: arming and detecting
  std::unique_ptr<InPlaceRoot::Reading> reading_;          // in place, while files of another stage are read
  std::map<std::string, std::string> mount_copies_;        // sources of RUN --mount as files of their own, for later RUNs too
};

}  // namespace kiln::engine
