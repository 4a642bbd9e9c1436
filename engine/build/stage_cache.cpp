// A stage and the layer cache: which of its steps need not run.
#include <algorithm>

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "engine/build/context_reads.hpp"
#include "engine/build/layer_cache.hpp"
#include "engine/build/steps.hpp"
#include "engine/cache/copied_files.hpp"
#include "engine/cache/key.hpp"
#include "engine/cache/step_keys.hpp"
#include "engine/context/source_login.hpp"
#include "engine/steps/git_reference.hpp"
#include "engine/steps/remote_sources.hpp"
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
  return fmt::format("compression {} {}; reproducible {}{}; epoch {}; ignored {}{}",
                     static_cast<int>(request.compression.compression), request.compression.level, request.reproducible,
                     request.rewrite_timestamp ? "; rewritten" : "",
                     session.source_date_epoch ? std::to_string(*session.source_date_epoch) : "none", fmt::join(ignored, ":"),
                     request.ignore_var_run ? "" : "; /var/run kept");
}

bool has_remote_source(const CopyStep& step) {
  return std::any_of(step.sources.begin(), step.sources.end(),
                     [](const std::string& source) { return is_download(source) || parse_git_reference(source).has_value(); });
}

// What a git repository's files are known by: the commit that the reference names now; with .git, the tag, too.
Task<std::string> git_identity(Session& session, std::string source, GitReference reference, GitLogin login) {
  const bool whole = *reference.keep_git_dir;
  const GitCommit named =
      co_await resolve_git_source(session.runtime, std::move(reference), std::move(login), session.scratch_directory);
  session.downloads[source].version = named.commit;
  co_return whole && !named.tag.empty() ? fmt::format("{} {}", named.commit, named.tag) : named.commit;
}

}  // namespace

bool may_be_cached(const CacheSettings& settings, const Step& step) {
  return std::holds_alternative<RunStep>(step.action) ? settings.run_layers : settings.copy_layers;
}

// The key of what a step reads from; empty when it has none.
Task<std::string> StageRunner::source_key(const Source& source, StepInputs& told) {
  if (source.kind == Source::Kind::stage) {
    const PreparedStagePtr stage = co_await prepared_stage(source.stage);
    const std::string& name = session_.plan.stages[static_cast<std::size_t>(source.stage)].name;
    told.parts[{"stage", name}] = stage->key.substr(0, 8);
    co_return stage->key;
  }
  const StageResultPtr image = co_await start_from(source);
  if (source.kind == Source::Kind::image) told.parts[{"image", source.image.text()}] = image->key.substr(0, 8);
  co_return image->key;
}

// What a server's file is known by: what the server says of it, or its bytes, which are fetched then and kept for the step.
Task<std::string> StageRunner::download_identity(std::string url) {
  const std::string login = download_authorization(session_.request.secrets, url);
  if (const auto known = session_.downloads.find(url); known != session_.downloads.end() && !known->second.version.empty()) {
    co_return known->second.version;
  }
  const std::optional<std::string> version = co_await download_version(session_.http, url, login);
  if (version) {
    session_.downloads[url].version = *version;
    co_return *version;
  }
  Node file = co_await download_source(session_.runtime, session_.http, url, std::nullopt, login, session_.scratch);
  Tree made;
  made.put("file", file);
  Listing listing(nullptr);
  listing.add(made, {{Change::Kind::put, "file"}});
  const std::string digest = co_await fingerprint(session_.runtime, listing);
  session_.downloads[url].file = file;
  co_return fmt::format("{} {}", digest, file.mtime.seconds);
}

// An ADD of files from servers and of git repositories, and of others besides.
Task<std::optional<std::string>> StageRunner::remote_inputs(CopyStep step, StepInputs& told) {
  KeyBuilder key("remote");
  std::vector<std::string> local;
  try {
    for (const auto& source : step.sources) {
      if (auto git = parse_git_reference(source)) {
        add_git_flags(*git, step.checksum, step.keep_git_dir);
        GitLogin login = git_login(git->remote);
        const std::string identity = co_await git_identity(session_, source, std::move(*git), std::move(login));
        told.parts[{"git", source}] = identity.substr(0, 12);
        key.field("git", source).field("commit", identity);
        continue;
      }
      if (!is_download(source)) {
        local.push_back(source);
        continue;
      }
      const std::string identity = co_await download_identity(source);
      told.parts[{"url", source}] = short_hash(identity);
      key.field("url", source).field("file", identity);
    }
  } catch (const io::Error& error) {
    if (error.kind() == io::ErrorKind::cancelled) throw;
    spdlog::debug("no cache key: {}", error.message());
    co_return std::nullopt;
  }
  if (!local.empty()) {
    step.sources = std::move(local);
    const std::optional<std::string> files = co_await copy_inputs(step, told);
    if (!files) co_return std::nullopt;
    key.field("files", *files);
  }
  co_return key.finish();
}

// What a COPY reads, as a digest. Nothing when it cannot be known without doing it, or when doing it would fail: then the
// step runs and says why.
Task<std::optional<std::string>> StageRunner::copy_inputs(const CopyStep& step, StepInputs& told) {
  Tree named;
  if (step.from) {
    std::string key = co_await source_key(*step.from, told);
    if (!key.empty()) co_return key;
    if (step.from->kind != Source::Kind::context) co_return std::nullopt;
    const StageResultPtr context = co_await start_from(*step.from);
    named = *context->tree;
  }
  if (step.is_add && has_remote_source(step)) {
    if (step.checksum && is_download(step.sources.front())) co_return *step.checksum;
    std::optional<std::string> remote = co_await remote_inputs(step, told);
    co_return remote;
  }
  std::optional<std::string> inputs;
  try {
    const PhaseClock::Activity reading(session_.clock, "key");
    Listing listing(session_.file_memory.get());
    for (const auto& source : step.sources) {
      Tree context = named;
      if (!step.from) context = co_await scan_context(session_, step, source);
      const auto list = [&] { list_copied_files(step, source, context, listing); };
      co_await io::offload(session_.runtime.cpu(), list);
    }
    session_.context_reads->add(step, listing);
    inputs = co_await fingerprint(session_.runtime, listing);
    FileHashes files = listing.take_files();
    told.hashes.insert(told.hashes.end(), std::make_move_iterator(files.begin()), std::make_move_iterator(files.end()));
    told.parts[{"files", fmt::format("{}", fmt::join(step.sources, " "))}] = inputs->substr(0, 8);
  } catch (const io::Error& error) {
    if (error.kind() == io::ErrorKind::cancelled) throw;
    if (error.kind() == io::ErrorKind::integrity) {
      spdlog::warn("{} is not cached: {}", step.is_add ? "ADD" : "COPY", error.message());
    }
    spdlog::debug("no cache key: {}", error.message());
  }
  co_return inputs;
}

// What the mounts of a RUN hold at its start, as far as that decides its result: what caches and agents hold and what secrets say
// does not (BuildKit), whether a secret is there does.
Task<std::optional<std::vector<std::string>>> StageRunner::mount_inputs(const RunStep& step, StepInputs& told) {
  std::vector<std::string> inputs;
  for (const auto& [mount, from] : step.mounts) {
    if (mount.type == Mount::Type::secret) {
      inputs.emplace_back(session_.request.secrets.contains(mount.id) ? "there" : "absent");
      told.parts[{"secret", mount.id}] = inputs.back();
    } else if (from ? from->kind != Source::Kind::scratch : mount.type == Mount::Type::bind) {
      CopyStep files;
      files.from = from;
      files.sources = {mount.source.empty() ? "." : mount.source};
      files.destination = "/";
      std::optional<std::string> content = co_await copy_inputs(files, told);
      if (!content) co_return std::nullopt;
      inputs.push_back(std::move(*content));
    }
  }
  co_return inputs;
}

// The key of the state after `step`; empty when it cannot be known.
Task<std::string> StageRunner::key_after(std::string before, const Step& step, StepInputs& told) {
  add_parts(told, step);
  if (const auto* run = std::get_if<RunStep>(&step.action)) {
    std::optional<std::vector<std::string>> inputs = co_await mount_inputs(*run, told);
    if (!inputs) co_return "";
    if (const std::string* hostname = sandbox_hostname(session_.request)) {
      inputs->push_back("BUILDKIT_SANDBOX_HOSTNAME=" + *hostname);
      told.parts[{"variable", "BUILDKIT_SANDBOX_HOSTNAME"}] = short_hash(*hostname);
    }
    co_return run_key(before, *run, *inputs);
  }
  if (const auto* workdir = std::get_if<WorkdirStep>(&step.action)) co_return workdir_key(before, *workdir);
  const auto& copy = std::get<CopyStep>(step.action);
  const std::optional<std::string> inputs = co_await copy_inputs(copy, told);
  if (!inputs) co_return "";
  co_return copy_key(before, copy, *inputs);
}

// The keys after each step of a stage on the state `base`, as far as they can be known, and what they are made of. `inputs` has
// what is told of the base, for the first step.
Task<std::vector<std::string>> StageRunner::step_keys(std::string base, const ResolvedStage& resolved,
                                                      std::vector<StepInputs>& inputs) {
  std::vector<std::string> keys(resolved.steps.size());
  inputs.resize(keys.size());
  const std::string settings = layer_settings_text(session_);
  inputs.front().parts[{"settings", ""}] = short_hash(settings);
  std::string key = base.empty() ? "" : stage_key(base, settings);
  for (std::size_t i = 0; i < keys.size() && !key.empty(); ++i) {
    if (i > 0) inputs[i].parts[{std::string(before_part), ""}] = key.substr(0, 16);
    std::exception_ptr failure;
    try {
      key = co_await key_after(std::move(key), resolved.steps[i], inputs[i]);
    } catch (...) {
      failure = std::current_exception();
    }
    if (failure) throw error_at(resolved.steps[i].location, io::as_error(failure));
    inputs[i].key = keys[i] = key;
  }
  co_return keys;
}

// Before anything runs: in place, its directory may not be there afterwards.
Task<void> StageRunner::save_file_memory() {
  const auto save = [memory = session_.file_memory.get()] { memory->save(); };
  co_await io::offload(session_.runtime.waiting(), save);
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

// What the cache may keep of a stage's steps. An entry needs the one of the step before it, and the first one those of the stage
// that this one is built on.
std::vector<LayerCache::NewEntry> StageRunner::new_entries(int index) const {
  const PreparedStage& prepared = *prepared_.at(index)->result;
  std::vector<LayerCache::NewEntry> entries(prepared.keys.size());
  std::string before;
  for (int base = index; before.empty();) {
    const Source& source = session_.plan.stages[static_cast<std::size_t>(base)].base;
    if (source.kind != Source::Kind::stage) break;
    base = source.stage;
    const PreparedStage& under = *prepared_.at(base)->result;
    if (!under.keys.empty()) before = under.keys.back();
  }
  for (std::size_t i = 0; i < entries.size(); ++i) {
    if (!may_be_cached(session_.request.cache, prepared.resolved.steps[i])) break;
    entries[i] = {prepared.keys[i], before, prepared.resolved.steps[i].text};
    before = prepared.keys[i];
  }
  return entries;
}

// The stage begins with the layers that the cache has for its first `count` steps.
void StageRunner::take_cached(int index, StageResult& stage, const PreparedStage& prepared, std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) {
    const ImageLayerPtr& layer = prepared.cached[i];
    report_reused(stage.name, prepared.resolved, i, Progress::StepEnd::cached);
    stage.layers.push_back(layer);
    // The time of the build that made it: a build that finds everything gives the same image again.
    auto& entry = stage.config.history[prepared.resolved.steps[i].history];
    if (entry.created.empty()) entry.created = created_text(layer->created);
    if (published_.contains(index)) publisher_.push_layer(layer);
  }
  if (count == 0) return;
  stage.tree.reset();
  stage.rootfs.reset();
}

}  // namespace kiln::engine
