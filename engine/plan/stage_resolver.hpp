// The state that a stage's instructions see and change, and what each of them does to it. Internal to engine/plan:
// stage_resolver.cpp has the frame, variables and history; resolve_run.cpp RUN and the words of
// commands; resolve_copy.cpp COPY, ADD and WORKDIR; resolve_config.cpp what changes the config only.
#pragma once

#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "engine/dockerfile/expand.hpp"
#include "engine/plan/resolve.hpp"

namespace kiln::engine {

class StageResolver {
 public:
  StageResolver(const Plan& plan, const PlannedStage& stage, const std::string& file_name, StageInput input);

  ResolvedStage resolve();

 private:
  void prepare_config();
  void complete_history();
  template <class Body>
  void at(const dockerfile::Location& location, const std::string& what, Body body);
  void apply_any(const dockerfile::Instruction& instruction);
  // Leaves out what fails and might not, were the base known.
  template <class Body>
  void unless_unknown(const std::string& text, Body body);

  // -- variables
  std::optional<std::string> lookup(std::string_view name) const;
  dockerfile::Lookup lookups() const;
  std::string expand(const std::string& word) const;
  std::vector<std::string> expand_all(const std::vector<std::string>& words) const;
  std::vector<dockerfile::KeyValue> expand_pairs(const std::vector<dockerfile::KeyValue>& pairs) const;
  std::string directory() const;  // WORKDIR in force; "/" when there is none
  void set_arg(const std::string& name, const std::optional<std::string>& value);
  bool declared(const std::string& name) const;
  // NAME=value of the declared arguments, each once, as RUN's history shows them.
  std::vector<std::string> args_for_history() const;
  // ENV, then the arguments that are visible.
  std::vector<std::string> run_environment() const;

  // -- history
  std::size_t add_history(std::string created_by, bool empty_layer);
  void add_step(decltype(Step::action) action, std::string created_by);

  // -- commands
  std::vector<std::string> shell() const;
  std::vector<std::string> words_of(const dockerfile::CommandLine& command) const;
  std::vector<RunMount> mounts_of(const dockerfile::Run& run) const;
  void add_proxies(RunStep& step) const;

  // -- instructions that run or change files
  void apply(const dockerfile::Run& run);
  void apply(const dockerfile::Copy& copy);
  void apply(const dockerfile::Workdir& workdir);

  // -- instructions that change the config only
  void apply(const dockerfile::Env& env);
  void apply(const dockerfile::Label& label);
  void apply(const dockerfile::Arg& arg);
  void apply(const dockerfile::User& user);
  void apply(const dockerfile::Expose& expose);
  void apply(const dockerfile::Volume& volume);
  void apply(const dockerfile::Cmd& cmd);
  void apply(const dockerfile::Entrypoint& entrypoint);
  void apply(const dockerfile::Shell& shell_words);
  void apply(const dockerfile::StopSignal& stop);
  void apply(const dockerfile::Maintainer& maintainer);
  void apply(const dockerfile::HealthcheckInstruction& check);
  void apply(const dockerfile::OnBuild& trigger);
  void apply(const dockerfile::From& from);

  const Plan& plan_;
  const PlannedStage& stage_;
  const std::string& file_name_;
  std::string created_;
  bool base_known_;
  ResolvedStage result_;
  const dockerfile::Instruction* current_ = nullptr;
  std::vector<dockerfile::KeyValue> args_;  // in the order of declaration, each name once
  std::set<std::string> visible_args_;      // those that have a value which no later ENV replaced
  bool command_set_ = false;                // this stage has its own CMD
};

}  // namespace kiln::engine
