// A stage and the layer cache: which of its steps need not run.
#include <algorithm>

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "engine/build/layer_cache.hpp"
#include "engine/build/steps.hpp"
#include "engine/cache/fingerprint.hpp"
#include "engine/cache/step_keys.hpp"
#include "engine/steps/git_reference.hpp"
#include "io/base/error.hpp"

namespace kiln::engine {

using io::Task;

namespace {

// What decides, besides the Dockerfile, how a layer is written.
std::string layer_settings_text(const Session& session) {
  const BuildRequest& request = session.request;
  std::vector<std::string> ignored = request.ignore_paths;
  std::erase(ignored, request.work_directory);
  std::sort(ignored.begin(), ignored.end());
  return fmt::format("compression {} {}; reproducible {}; epoch {}; ignored {}", static_cast<int>(request.compression.compression),
                     request.compression.level, request.reproducible,
                     session.source_date_epoch ? std::to_string(*session.source_date_epoch) : "none", fmt::join(ignored, ":"));
}

bool has_remote_source(const CopyStep& step) {
  return std::any_of(step.sources.begin(), step.sources.end(),
                     [](const std::string& source) { return is_download(source) || parse_git_reference(source).has_value(); });
}

bool may_be_cached(const CacheSettings& settings, const Step& step) {
  return std::holds_alternative<RunStep>(step.action) ? settings.run_layers : settings.copy_layers;
}

}  // namespace

// The key of what a step reads from; empty when it has none.
Task<std::string> StageRunner::source_key(const Source& source) {
  if (source.kind == Source::Kind::stage) {
    const PreparedStagePtr stage = co_await prepared_stage(source.stage);
    co_return stage->key;
  }
  const StageResultPtr image = co_await start_from(source);
  co_return image->key;
}

// What a COPY reads, as a digest. Nothing when it cannot be known without doing it, or when doing it would fail: then the
// step runs and says why.
Task<std::optional<std::string>> StageRunner::copy_inputs(const CopyStep& step) {
  Tree named;
  if (step.from) {
    std::string key = co_await source_key(*step.from);
    if (!key.empty()) co_return key;
    if (step.from->kind != Source::Kind::context) co_return std::nullopt;
    const StageResultPtr context = co_await start_from(*step.from);
    named = *context->tree;
  }
  if (step.is_add && has_remote_source(step)) {
    if (step.checksum && is_download(step.sources.front())) co_return *step.checksum;
    co_return std::nullopt;
  }
  std::optional<std::string> inputs;
  try {
    Tree made;
    CopyOperation operation(made, CopyRules());
    const IgnoreMatcher excludes = IgnoreMatcher::from_patterns(step.excludes);
    const std::string directory = step.destination + "/";  // so that every file has a name of its own
    for (const auto& source : step.sources) {
      Tree context = named;
      if (!step.from) context = co_await scan_context(session_, step, source);
      if (step.parents) {
        operation.copy_with_parents(context, source, directory, excludes);
      } else {
        operation.copy(context, source, directory, excludes);
      }
    }
    inputs = co_await fingerprint(session_.runtime, made, operation.take_changes());
  } catch (const io::Error& error) {
    if (error.kind() == io::ErrorKind::cancelled) throw;
    spdlog::debug("no cache key: {}", error.message());
  }
  co_return inputs;
}

// What the mounts of a RUN hold at its start, as far as that decides its result: what caches and agents hold and what secrets say
// does not (BuildKit), whether a secret is there does.
Task<std::optional<std::vector<std::string>>> StageRunner::mount_inputs(const RunStep& step) {
  std::vector<std::string> inputs;
  for (const auto& [mount, from] : step.mounts) {
    if (mount.type == Mount::Type::secret) {
      inputs.emplace_back(session_.request.secrets.contains(mount.id) ? "there" : "absent");
    } else if (from ? from->kind != Source::Kind::scratch : mount.type == Mount::Type::bind) {
      CopyStep files;
      files.from = from;
      files.sources = {mount.source.empty() ? "." : mount.source};
      files.destination = "/";
      std::optional<std::string> content = co_await copy_inputs(files);
      if (!content) co_return std::nullopt;
      inputs.push_back(std::move(*content));
    }
  }
  co_return inputs;
}

// The key of the state after `step`; empty when it cannot be known.
Task<std::string> StageRunner::key_after(std::string before, const Step& step) {
  if (const auto* run = std::get_if<RunStep>(&step.action)) {
    const std::optional<std::vector<std::string>> inputs = co_await mount_inputs(*run);
    if (!inputs) co_return "";
    co_return run_key(before, *run, *inputs);
  }
  if (const auto* workdir = std::get_if<WorkdirStep>(&step.action)) co_return workdir_key(before, *workdir);
  const auto& copy = std::get<CopyStep>(step.action);
  const std::optional<std::string> inputs = co_await copy_inputs(copy);
  if (!inputs) co_return "";
  co_return copy_key(before, copy, *inputs);
}

// The keys after each step of a stage on the state `base`, as far as they can be known.
Task<std::vector<std::string>> StageRunner::step_keys(std::string base, const ResolvedStage& resolved) {
  std::vector<std::string> keys(resolved.steps.size());
  std::string key = base.empty() ? "" : stage_key(base, layer_settings_text(session_));
  for (std::size_t i = 0; i < keys.size() && !key.empty(); ++i) {
    std::exception_ptr failure;
    try {
      key = co_await key_after(std::move(key), resolved.steps[i]);
    } catch (...) {
      failure = std::current_exception();
    }
    if (failure) throw error_at(resolved.steps[i].location, io::as_error(failure));
    keys[i] = key;
  }
  co_return keys;
}

// The keys of the steps before the first that is not to be looked up.
std::vector<std::string> StageRunner::cacheable(const PreparedStage& prepared) const {
  std::vector<std::string> keys;
  for (std::size_t i = 0; i < prepared.keys.size(); ++i) {
    if (prepared.keys[i].empty() || !may_be_cached(session_.request.cache, prepared.resolved.steps[i])) break;
    keys.push_back(prepared.keys[i]);
  }
  return keys;
}

// The stage begins with the layers that the cache has for its first `count` steps.
void StageRunner::take_cached(int index, StageResult& stage, const PreparedStage& prepared, std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) {
    const ImageLayerPtr& layer = prepared.cached[i];
    const Progress::StepInfo info = Steps::info_of(session_, stage.name, prepared.resolved, i);
    session_.progress.step_started(info);
    session_.progress.step_finished(info.id, std::chrono::nanoseconds(0), "cached");
    stage.layers.push_back(layer);
    // The time of the build that made it: a build that finds everything gives the same image again.
    auto& entry = stage.config.history[prepared.resolved.steps[i].history];
    if (entry.created.empty()) entry.created = created_text(layer->created);
    if (published_.contains(index)) publisher_.push_layer(layer);
  }
  if (count > 0) stage.tree.reset();
}

}  // namespace kiln::engine
