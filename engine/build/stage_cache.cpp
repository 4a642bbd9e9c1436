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

// What a COPY reads, as a digest. Nothing when it cannot be known without doing it, or when doing it would fail: then the
// step runs and says why.
Task<std::optional<std::string>> StageRunner::copy_inputs(const CopyStep& step) {
  if (step.from) {
    const StageResultPtr source = co_await start_from(*step.from);
    if (source->key.empty()) co_return std::nullopt;
    co_return source->key;
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
      const Tree context = co_await scan_context(session_, step, source);
      if (step.parents) {
        operation.copy_with_parents(context, source, directory, excludes);
      } else {
        operation.copy(context, source, directory, excludes);
      }
    }
    for (const auto& [name, body] : step.heredocs) operation.put_file(name, heredoc_node(session_, body), directory);
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
  for (const auto& mount : step.mounts) {
    if (mount.from && mount.from->kind != Source::Kind::scratch) {
      const StageResultPtr source = co_await start_from(*mount.from);
      if (source->key.empty()) co_return std::nullopt;
      inputs.push_back(source->key);
    } else if (mount.mount.type == Mount::Type::secret) {
      inputs.emplace_back(session_.request.secrets.contains(mount.mount.id) ? "there" : "absent");
    } else if (mount.mount.type == Mount::Type::bind && !mount.from) {
      CopyStep files;
      files.sources = {mount.mount.source.empty() ? "." : mount.mount.source};
      files.destination = "/";
      const std::optional<std::string> content = co_await copy_inputs(files);
      if (!content) co_return std::nullopt;
      inputs.push_back(*content);
    }
  }
  co_return inputs;
}

// The key of the state after `step`; empty when it cannot be known.
Task<std::string> StageRunner::key_after(std::string before, const Step& step) {
  co_await load_sources(step);
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

Task<std::vector<std::string>> StageRunner::step_keys(StageResultPtr stage, const ResolvedStage& resolved) {
  std::vector<std::string> keys;
  if (!session_.cache || session_.request.single_snapshot) co_return keys;
  keys.resize(resolved.steps.size());
  if (stage->key.empty()) co_return keys;
  std::string key = stage_key(stage->key, layer_settings_text(session_));
  for (std::size_t i = 0; i < keys.size() && !key.empty(); ++i) {
    key = co_await key_after(std::move(key), resolved.steps[i]);
    keys[i] = key;
  }
  co_return keys;
}

// The steps before the first that is not to be looked up.
std::vector<std::string> StageRunner::cacheable(const ResolvedStage& resolved, std::vector<std::string> keys) const {
  std::size_t count = 0;
  while (count < keys.size() && !keys[count].empty() && may_be_cached(session_.request.cache, resolved.steps[count])) ++count;
  keys.resize(count);
  return keys;
}

// Gives the number of steps at the stage's beginning whose layers are there now.
Task<std::size_t> StageRunner::take_cached(int index, StageResultPtr stage, const ResolvedStage& resolved,
                                           std::vector<std::string> keys) {
  if (!session_.cache) co_return 0;
  const std::vector<ImageLayerPtr> layers = co_await session_.cache->find(cacheable(resolved, std::move(keys)));
  for (std::size_t i = 0; i < layers.size(); ++i) {
    const Progress::StepInfo info = Steps::info_of(session_, *stage, resolved, i);
    session_.progress.step_started(info);
    session_.progress.step_finished(info.id, std::chrono::nanoseconds(0), "cached");
    stage->layers.push_back(layers[i]);
    // The time of the build that made it: a build that finds everything gives the same image again.
    auto& entry = stage->config.history[resolved.steps[i].history];
    if (entry.created.empty()) entry.created = created_text(layers[i]->created);
    if (published_.contains(index)) publisher_.push_layer(layers[i]);
  }
  if (!layers.empty()) stage->tree.reset();
  co_return layers.size();
}

}  // namespace kiln::engine
