// One stage's steps, one after the other.
#pragma once

#include "engine/build/stage.hpp"
#include "engine/steps/copy.hpp"
#include "engine/steps/users.hpp"

namespace kiln::engine {

class StageRunner::Steps {
 public:
  Steps(StageRunner& runner, int index, StageResultPtr stage, ResolvedStage& resolved, Sandbox* sandbox, std::size_t last_run)
      : runner_(runner),
        session_(runner.session_),
        index_(index),
        stage_(std::move(stage)),
        resolved_(resolved),
        sandbox_(sandbox),
        last_run_(last_run),
        before_all_(stage_->tree.value_or(Tree())) {}

  io::Task<void> run();

 private:
  io::Task<void> run_step(std::size_t number);
  io::Task<Changes> perform(const RunStep& step, std::size_t number, int id);
  io::Task<Changes> perform(const CopyStep& step, std::size_t number, int id);
  io::Task<Changes> perform(const WorkdirStep& step, std::size_t number, int id);
  io::Task<void> copy_from_context(const CopyStep& step, CopyOperation& operation);
  io::Task<void> copy_from_stage(const CopyStep& step, CopyRules rules, Changes& changes);
  io::Task<void> add_from_context(const CopyStep& step, CopyOperation& operation, const Tree& context);
  io::Task<Tree> scan_context(const CopyStep& step);
  io::Task<void> fetch_contents(const Changes& changes);
  io::Task<UserDatabase> users();
  io::Task<std::string> read_text(const std::string& path);
  io::Task<CopyRules> rules_for(const CopyStep& step);
  io::Task<void> record(const Changes& changes);
  io::Task<void> capture(Changes changes);
  Changes accumulated() const;

  StageRunner& runner_;
  Session& session_;
  int index_;
  StageResultPtr stage_;
  ResolvedStage& resolved_;
  Sandbox* sandbox_;
  std::size_t last_run_;  // steps before it must be on disk; 0: there is no RUN
  Tree before_all_;       // for --single-snapshot
  std::set<std::string> touched_;
  std::unique_ptr<Detector> detector_;
};

}  // namespace kiln::engine
