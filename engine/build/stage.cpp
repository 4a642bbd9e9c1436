#include "engine/build/stage.hpp"

#include <algorithm>
#include <filesystem>

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "engine/build/base_files.hpp"
#include "engine/build/checks.hpp"
#include "engine/build/final_config.hpp"
#include "engine/build/steps.hpp"
#include "engine/cache/step_keys.hpp"
#include "engine/cache/store.hpp"
#include "engine/dockerfile/diagnostics.hpp"
#include "io/base/error.hpp"

namespace kiln::engine {

using io::Task;

namespace {

std::uint64_t size_of(const std::vector<ImageLayerPtr>& layers) {
  std::uint64_t size = 0;
  for (const auto& layer : layers) size += layer->descriptor.size;
  return size;
}

}  // namespace

Task<StageResultPtr> StageRunner::run() {
  for (int index = session_.plan.target;;) {
    published_.insert(index);
    const Source& base = session_.plan.stages[static_cast<std::size_t>(index)].base;
    if (base.kind != Source::Kind::stage) break;
    index = base.stage;
  }
  const io::Executor& executor = session_.runtime.executor();
  for (const auto& stage : session_.plan.stages) {
    if (!stage.needed) continue;
    prepared_[stage.index] = std::make_unique<Pending<PreparedStage>>(executor);
    demand_[stage.index] = 0;
  }
  io::TaskGroup group(executor);
  // Warnings come when they come; a build that they are to fail must not have begun.
  if (findings_are_errors(session_)) {
    co_await check_file();
  } else {
    group.spawn(check_file());
  }
  for (const auto& stage : demand_) group.spawn(prepare(stage.first));
  if (caching()) {
    co_await group.join();
    co_await save_file_memory();
    demand_ = decide();
    report_skipped(demand_);
    for (const auto& stage : demand_) group.spawn(tell_misses(stage.first));
  }
  for (const auto& stage : demand_) stages_[stage.first] = std::make_unique<Pending<StageResult>>(executor);
  for (const auto& stage : demand_) group.spawn(run_and_publish(stage.first));
  co_await group.join();
  co_return stages_[session_.plan.target]->result;
}

// The build checks, once the configs of the base images are there. One that cannot be had is its stage's error, not ours.
Task<void> StageRunner::check_file() {
  std::map<std::size_t, const oci::ImageConfig*> bases;
  for (const auto& stage : session_.plan.stages) {
    if (!stage.needed || !stage.base.is_outside()) continue;
    try {
      const StageResultPtr base = co_await start_from(stage.base);
      bases[static_cast<std::size_t>(stage.index)] = &base->config;
    } catch (const io::Error& error) {
      if (error.kind() == io::ErrorKind::cancelled) throw;
    }
  }
  check_dockerfile(session_, bases);
}

Task<void> StageRunner::run_and_publish(int index) {
  Pending<StageResult>& pending = *stages_.at(index);
  try {
    pending.result = co_await run_stage(index);
  } catch (...) {
    pending.error = std::current_exception();
  }
  pending.changed.notify_all();
  if (pending.error) std::rethrow_exception(pending.error);
}

Task<StageResultPtr> StageRunner::wait_for(int index) {
  // As in prepared_stage().
  if (!stages_.contains(index)) {
    stages_[index] = std::make_unique<Pending<StageResult>>(session_.runtime.executor());
    co_await run_and_publish(index);
  }
  Pending<StageResult>& pending = *stages_.at(index);
  while (!pending.ended()) co_await pending.changed.wait();
  if (pending.error) throw io::Error(io::ErrorKind::cancelled, "a stage that this one needs failed");
  co_return pending.result;
}

StageResultPtr result_of(const BaseImage& image, const oci::Platform& platform) {
  auto result = std::make_shared<StageResult>();
  result->config = image.config;
  result->format = image.manifest.format;
  result->layers = image.layers;
  result->base_layers = image.layers.size();
  result->key = image_key(image.digest, platform);
  result->identity = fmt::format("{}@{}", image.reference.text(), image.digest.hex().substr(0, 12));
  return result;
}

Task<StageResultPtr> StageRunner::load_outside(Source source) {
  if (source.kind == Source::Kind::context) {
    StageResultPtr context = co_await load_context(std::move(source));
    co_return context;
  }
  const std::shared_ptr<BaseImage> image = co_await load_base_image(session_, source.image, source.platform);
  co_return result_of(*image, source.platform);
}

// An image or a named context, which the first who asks for it loads.
Task<StageResultPtr> StageRunner::outside_source(const Source& source) {
  const std::string name = source.kind == Source::Kind::image ? source.image.text() : "context " + source.context;
  StageResultPtr loaded = co_await once(outside_[name + " " + source.platform.text()], load_outside(source));
  co_return loaded;
}

Task<StageResultPtr> StageRunner::start_from(const Source& source) {
  if (source.kind == Source::Kind::stage) {
    StageResultPtr stage = co_await wait_for(source.stage);
    co_return stage;
  }
  if (source.kind != Source::Kind::scratch) {
    StageResultPtr outside = co_await outside_source(source);
    co_return outside;
  }
  auto scratch = std::make_shared<StageResult>();
  scratch->config = scratch_config(session_.request.platform);
  scratch->format = session_.request.scratch_format;
  scratch->tree = Tree();
  scratch->key = scratch_key(session_.request.platform);
  co_return scratch;
}

io::Error StageRunner::error_at(const dockerfile::Location& location, const io::Error& error) const {
  if (error.kind() == io::ErrorKind::cancelled) return error;
  return dockerfile::error_at(session_.dockerfile_name, session_.dockerfile_text, error, location);
}

Task<StageResultPtr> StageRunner::base_of(const PlannedStage& stage) {
  StageResultPtr base;
  std::exception_ptr failure;
  try {
    base = co_await start_from(stage.base);
  } catch (...) {
    failure = std::current_exception();
  }
  if (failure) throw error_at(stage.text->from.location, io::as_error(failure));
  co_return base;
}

// What the step reads besides the build context, once it is there.
Task<std::vector<StageResultPtr>> StageRunner::load_sources(const Step& step) {
  std::vector<StageResultPtr> sources;
  std::exception_ptr failure;
  try {
    for (const auto& source : sources_of(step)) {
      StageResultPtr loaded = co_await start_from(source);
      sources.push_back(std::move(loaded));
    }
  } catch (...) {
    failure = std::current_exception();
  }
  if (failure) throw error_at(step.location, io::as_error(failure));
  co_return sources;
}

// The Tree of a stage that had no need of one while it ran, or that is not unpacked.
Task<void> StageRunner::ensure_tree(StageResultPtr stage) {
  if (stage->tree) co_return;
  const PhaseClock::Activity unpacking(session_.clock, "unpack");
  std::optional<Tree> tree;
  if (caching()) tree = co_await session_.cache->find_files(stage->layers, stage->base_layers);
  if (!tree) {
    // Somebody may want contents, too.
    const auto kept = [](const ImageLayer&) { return false; };
    const auto base_end = stage->layers.begin() + static_cast<std::ptrdiff_t>(stage->base_layers);
    const std::vector<ImageLayerPtr> base(stage->layers.begin(), base_end);
    std::vector<LayerInput> made = want_layers(session_, {base_end, stage->layers.end()}, kept);
    tree = co_await find_base_files(session_, base);
    if (!tree) {
      tree = co_await index_layers(session_.runtime, Tree(), want_layers(session_, base, kept));
      co_await remember_base(*stage, *tree);
    }
    tree = co_await index_layers(session_.runtime, *tree, std::move(made));
  }
  stage->tree = std::move(tree);
}

// Leaves in the cache, and beside the base images, what is in the image that the stage is built on: `tree`.
Task<void> StageRunner::remember_base(const StageResult& stage, const Tree& tree) {
  const CacheSettings& settings = session_.request.cache;
  const bool in_cache = caching() && settings.write;
  if (stage.base_layers == 0 || !(in_cache || settings.keep_base_images)) co_return;
  const auto base_end = stage.layers.begin() + static_cast<std::ptrdiff_t>(stage.base_layers);
  const std::vector<ImageLayerPtr> base(stage.layers.begin(), base_end);
  const WholeFiles whole = co_await read_users(session_, stage, tree);
  if (in_cache) session_.cache->remember_files(base, tree, whole);
  remember_base_files(session_, {base, tree, whole});
}

Task<StageResultPtr> StageRunner::run_stage(int index) {
  const PlannedStage& planned = session_.plan.stages[static_cast<std::size_t>(index)];
  const PreparedStagePtr prepared = co_await prepared_stage(index);
  const StageResultPtr base = co_await base_of(planned);
  auto stage = std::make_shared<StageResult>(*base);
  stage->name = planned.name;
  // What an overlay's directories hold stays as it is.
  if (stage->rootfs && stage->rootfs->shape() != RootfsShape::overlay) stage->rootfs.reset();
  stage->format = format_on(session_.request, base->format, base->layers);
  if (planned.base.is_outside()) {
    stage->base_layers = base->layers.size();
    if (base->is_context()) add_context_layer(*stage);
    if (published_.contains(index)) {
      for (const auto& layer : stage->layers) publisher_.push_layer(layer);
    }
  }

  ResolvedStage& resolved = prepared->resolved;
  stage->config = resolved.config;
  stage->key = prepared->key;
  // The base's entries have their times by now.
  if (planned.base.kind == Source::Kind::stage) {
    std::copy(base->config.history.begin(), base->config.history.end(), stage->config.history.begin());
  }
  const bool materialized = session_.request.materialize && index == session_.plan.target;
  if (resolved.steps.empty() && !materialized) co_return stage;

  const std::size_t first = demand_[index];
  take_cached(index, *stage, *prepared, first);
  if (first == resolved.steps.size() && !materialized) co_return stage;

  std::size_t last_run = 0;
  for (std::size_t i = first; i < resolved.steps.size(); ++i) {
    if (std::holds_alternative<RunStep>(resolved.steps[i].action)) last_run = i + 1;
  }
  if (materialized) last_run = resolved.steps.size();
  std::unique_ptr<Sandbox> sandbox;
  std::exception_ptr failure;
  try {
    if (last_run > 0 || materialized) {
      const SandboxChoice* choice = co_await session_.choose_sandbox();
      sandbox = make_sandbox(session_.runtime, *choice);
      if (published_.contains(index) && size_of(stage->layers) > worth_watching)
        co_await publisher_.wait_for_answers(stage->layers);
      co_await unpack_base(index, stage, resolved, *sandbox);
      if (first == 0 && planned.base.is_outside()) co_await remember_base(*stage, *stage->tree);
    } else {
      // Its one layer is captured at the end, and until then other stages' files must stay where they are.
      if (session_.request.single_snapshot) co_await wait_for_sources(resolved, first);
      co_await ensure_tree(stage);
    }
    Steps steps(*this, index, stage, resolved, sandbox.get(), last_run, new_entries(index));
    co_await steps.run(first);
  } catch (...) {
    failure = std::current_exception();
  }
  root_.release(index);
  if (failure) std::rethrow_exception(failure);
  co_return stage;
}

// Elsewhere all is below the work directory, which its owner throws away.
Task<void> StageRunner::clean_up(bool failed) { co_await root_.give_back(failed); }

}  // namespace kiln::engine
