// Stages before they run: what they are made of, their keys, what the cache has of them, and which of them have to run.
#include "engine/build/layer_cache.hpp"
#include "engine/build/steps.hpp"
#include "io/base/error.hpp"

namespace kiln::engine {

using io::Task;

Task<void> StageRunner::prepare(int index) {
  Pending<PreparedStage>& pending = *prepared_.at(index);
  try {
    PreparedStagePtr prepared = co_await prepare_stage(index);
    pending.result = std::move(prepared);
  } catch (...) {
    pending.error = std::current_exception();
  }
  pending.changed.notify_all();
  if (pending.error) std::rethrow_exception(pending.error);
}

Task<PreparedStagePtr> StageRunner::prepared_stage(int index) {
  // A stage that only an ONBUILD trigger names was not known to be needed.
  if (!prepared_.contains(index)) {
    prepared_[index] = std::make_unique<Pending<PreparedStage>>(session_.runtime.executor());
    co_await prepare(index);
  }
  Pending<PreparedStage>& pending = *prepared_.at(index);
  while (!pending.ended()) co_await pending.changed.wait();
  if (pending.error) throw io::Error(io::ErrorKind::cancelled, "a stage that this one needs failed");
  co_return pending.result;
}

Task<PreparedStagePtr> StageRunner::prepare_stage(int index) {
  const PlannedStage& planned = session_.plan.stages[static_cast<std::size_t>(index)];
  StageInput input;
  input.created = session_.fixed_created;
  std::string key, identity;
  if (planned.base.kind == Source::Kind::stage) {
    const PreparedStagePtr base = co_await prepared_stage(planned.base.stage);
    input.base = base->resolved.config;
    input.inherited_args = base->resolved.args;
    key = base->key;
  } else {
    const StageResultPtr base = co_await base_of(planned);
    input.base = base->config;
    key = base->key;
    identity = base->identity;
    if (base->is_context()) co_await prepare_context_base(planned, input, key);
  }
  auto prepared = std::make_shared<PreparedStage>();
  prepared->resolved = resolve_stage(session_.plan, planned, session_.dockerfile_name, std::move(input));
  prepared->key = key;
  if (prepared->resolved.steps.empty()) co_return prepared;
  prepared->key.clear();
  if (!caching()) co_return prepared;
  std::vector<StepInputs>& inputs = prepared->inputs;
  inputs.resize(prepared->resolved.steps.size());
  if (planned.base.kind == Source::Kind::stage) {
    const PlannedStage& base = session_.plan.stages[static_cast<std::size_t>(planned.base.stage)];
    inputs.front().parts[{"stage", base.name}] = key.substr(0, 8);
  } else {
    inputs.front().parts[{"base", ""}] = identity.empty() ? key.substr(0, 8) : identity;
  }
  std::vector<std::string> keys = co_await step_keys(std::move(key), prepared->resolved, inputs);
  prepared->keys = std::move(keys);
  prepared->key = prepared->keys.back();
  std::vector<ImageLayerPtr> cached = co_await session_.cache->find(cacheable(*prepared));
  prepared->cached = std::move(cached);
  co_return prepared;
}

// Every stage that is prepared by now counts; the rest is not known to be read from.
Demand StageRunner::decide() const {
  std::map<int, StageNeeds> stages;
  for (const auto& [index, pending] : prepared_) {
    const PlannedStage& planned = session_.plan.stages[static_cast<std::size_t>(index)];
    StageNeeds needs;
    if (planned.base.kind == Source::Kind::stage) needs.base = planned.base.stage;
    needs.cached = pending->result->cached.size();
    for (const auto& step : pending->result->resolved.steps) {
      std::set<int> reads;
      for (const auto& source : sources_of(step)) {
        if (source.kind == Source::Kind::stage) reads.insert(source.stage);
      }
      needs.reads.push_back(std::move(reads));
    }
    stages[index] = std::move(needs);
  }
  return decide_demand(stages, session_.plan.targets);
}

void StageRunner::report_reused(const std::string& stage, const ResolvedStage& resolved, std::size_t number,
                                Progress::StepEnd end) {
  Progress::StepInfo info = Steps::info_of(session_, stage, resolved, number);
  info.reused = true;
  session_.progress.step_started(info);
  Progress::StepOutcome outcome;
  outcome.end = end;
  session_.progress.step_finished(info.id, outcome);
}

// What nobody wants a layer of is told like what the cache has.
void StageRunner::report_skipped(const Demand& demand) {
  for (const auto& [index, pending] : prepared_) {
    if (demand.contains(index)) continue;
    const std::string& name = session_.plan.stages[static_cast<std::size_t>(index)].name;
    const PreparedStage& prepared = *pending->result;
    for (std::size_t i = 0; i < prepared.resolved.steps.size(); ++i) {
      report_reused(name, prepared.resolved, i,
                    i < prepared.cached.size() ? Progress::StepEnd::cached : Progress::StepEnd::not_needed);
    }
  }
}

}  // namespace kiln::engine
