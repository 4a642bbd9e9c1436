// Why steps were not in the cache: told beside the build, from what earlier builds of the stage were made of.
#include <algorithm>

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "engine/build/layer_cache.hpp"
#include "engine/build/steps.hpp"
#include "engine/cache/input_record.hpp"
#include "io/base/error.hpp"
#include "oci/image/reference.hpp"

namespace kiln::engine {

using io::Task;

namespace {

std::string first_repository(const BuildRequest& request) {
  return request.destinations.empty() ? "" : oci::parse_reference(request.destinations.front()).repository_name();
}

std::string why_uncached(bool allowed) {
  if (!allowed) return "--cache-run-layers=false";
  return "it has no key: what it reads cannot be read now";
}

// What is looked at is moved there and back: the pool's threads have it for themselves.
struct Comparison {
  std::vector<MissedStep> missed;
  std::vector<StepInputs> inputs;
  std::vector<StepInputs> known;
};

void compare_steps(Comparison& comparison, std::size_t first) {
  for (std::size_t i = 0; i < comparison.inputs.size(); ++i) {
    spell_files(comparison.inputs[i]);
    if (i < first || comparison.missed[i - first].reason == MissReason::uncached) continue;
    explain(comparison.missed[i - first], comparison.inputs[i], comparison.known);
  }
}

}  // namespace

// The steps from `first` on, each with its reason; and the stage's record, for builds to come.
Task<std::vector<MissedStep>> StageRunner::explain_stage(int index, std::size_t first) {
  const PlannedStage& planned = session_.plan.stages[static_cast<std::size_t>(index)];
  PreparedStage& prepared = *prepared_.at(index)->result;
  const std::vector<Step>& steps = prepared.resolved.steps;
  Comparison comparison;
  comparison.inputs = std::move(prepared.inputs);
  for (std::size_t i = first; i < steps.size(); ++i) {
    MissedStep missed;
    missed.stage = planned.name;
    missed.index = i + 1;
    missed.count = steps.size();
    missed.step = steps[i].text;
    const bool allowed = may_be_cached(session_.request.cache, steps[i]);
    if (!allowed || prepared.keys[i].empty()) {
      const bool own = !allowed || i == 0 || !prepared.keys[i - 1].empty();
      missed.reason = own ? MissReason::uncached : MissReason::earlier;
      if (own) missed.note = why_uncached(allowed);
    }
    comparison.missed.push_back(std::move(missed));
  }
  const std::string name =
      record_name(first_repository(session_.request), session_.dockerfile_name, planned.name, session_.request.platform.text());
  std::optional<std::vector<StepInputs>> known = co_await session_.cache->recorded(name);
  const bool readable = known.has_value();
  if (known) comparison.known = std::move(*known);
  const bool nothing_known = comparison.known.empty();
  const auto work = [&comparison, first] { compare_steps(comparison, first); };
  co_await io::offload(session_.runtime.cpu(), work);
  for (std::size_t i = 0; i < comparison.missed.size(); ++i) {
    MissedStep& missed = comparison.missed[i];
    // The cache has it, but the stage stands on one that runs again.
    if (first + i < prepared.cached.size()) missed.reason = i == 0 ? MissReason::source : MissReason::earlier;
    if (missed.reason == MissReason::unknown && nothing_known) missed.note = "no earlier build of this stage is known";
  }
  if (readable) session_.cache->record(name, std::move(comparison.inputs), std::move(comparison.known));
  co_return std::move(comparison.missed);
}

// A line for each step with a reason of its own; what follows from another miss is for debugging.
Task<void> StageRunner::tell_misses(int index) {
  const std::size_t first = demand_.at(index);
  if (first == prepared_.at(index)->result->resolved.steps.size()) co_return;
  std::vector<MissedStep> missed;
  try {
    missed = co_await explain_stage(index, first);
  } catch (const io::Error& error) {
    if (error.kind() == io::ErrorKind::cancelled) throw;
    spdlog::debug("what has changed since the last build cannot be told: {}", error.message());
  }
  if (!session_.request.cache.read) co_return;
  for (const auto& step : missed) {
    const bool own = step.reason != MissReason::earlier && (step.reason != MissReason::unknown || step.note.empty());
    const std::string text = fmt::format("not in the cache: [{} {}/{}] {}", step.stage, step.index, step.count, describe(step));
    if (own) {
      session_.progress.message(text);
    } else {
      spdlog::debug("{}", text);
    }
  }
}

Task<CacheReport> StageRunner::explain() {
  if (!caching()) throw io::Error(io::ErrorKind::unsupported, "--single-snapshot takes nothing from the cache");
  const io::Executor& executor = session_.runtime.executor();
  io::TaskGroup group(executor);
  for (const auto& stage : session_.plan.stages) {
    if (!stage.needed) continue;
    prepared_[stage.index] = std::make_unique<Pending<PreparedStage>>(executor);
    group.spawn(prepare(stage.index));
  }
  co_await group.join();
  CacheReport report;
  demand_ = decide();
  for (const auto& [index, pending] : prepared_) {
    const std::size_t count = pending->result->resolved.steps.size();
    report.steps += count;
    if (!demand_.contains(index)) {
      report.cached += count;
      continue;
    }
    const std::size_t first = demand_.at(index);
    report.cached += first;
    if (first == count) continue;
    std::vector<MissedStep> missed = co_await explain_stage(index, first);
    report.missed.insert(report.missed.end(), std::make_move_iterator(missed.begin()), std::make_move_iterator(missed.end()));
  }
  co_return report;
}

}  // namespace kiln::engine
