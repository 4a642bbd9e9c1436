// `build` reads as the list of what a build does.
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "engine/build/checks.hpp"
#include "engine/build/context_reads.hpp"
#include "engine/build/epoch.hpp"
#include "engine/build/final_config.hpp"
#include "engine/build/layer_cache.hpp"
#include "engine/build/mount_exchange.hpp"
#include "engine/build/outputs.hpp"
#include "engine/build/publisher.hpp"
#include "engine/build/request.hpp"
#include "engine/build/session.hpp"
#include "engine/build/stage.hpp"
#include "engine/plan/print.hpp"
#include "io/base/error.hpp"

namespace kiln::engine {

namespace {

using io::Task;

void read_dockerfile(Session& session) {
  const std::string& path = session.request.dockerfile_path;
  std::ifstream file(path, std::ios::binary);
  if (!file || std::filesystem::is_directory(path)) {
    throw io::Error(io::ErrorKind::context, fmt::format("Dockerfile '{}' cannot be read", path));
  }
  session.dockerfile_name = std::filesystem::path(path).filename();
  session.dockerfile_text.assign(std::istreambuf_iterator<char>(file), {});
}

void open_contexts(Session& session) {
  const BuildRequest& request = session.request;
  open_named_contexts(session);
  if (request.context_directory.empty()) return;
  session.context.emplace(request.context_directory, load_ignore_file(request.dockerfile_path, request.context_directory));
  session.context->remember_in(session.file_memory.get());
}

void plan_stages(Session& session, std::optional<LookedUpEpoch> epoch = std::nullopt) {
  check_frontend(session);
  PlanOptions options;
  for (const auto& [name, value] : session.request.build_args) options.build_args[name] = value.value_or("");
  options.target = session.request.target;
  options.more_targets = session.request.more_targets;
  options.platform = session.request.platform;
  options.named_contexts = session.request.named_contexts;
  options.build_platform = oci::host_platform();
  options.looked_up_epoch = epoch;
  dockerfile::Dockerfile file = dockerfile::parse_dockerfile(session.dockerfile_text, session.dockerfile_name);
  session.plan = make_plan(std::move(file), session.dockerfile_name, std::move(options));
  // Moved with its owner: the stages point into the file that the plan holds.
  for (std::size_t i = 0; i < session.plan.stages.size(); ++i) session.plan.stages[i].text = &session.plan.file.stages[i];
  session.fix_times(session.plan.source_date_epoch);
}

// What SOURCE_DATE_EPOCH names is asked for its time, and everything is planned again with that.
Task<void> resolve_epoch(Session& session) {
  if (session.plan.epoch.named()) {
    const LookedUpEpoch epoch = co_await look_up_epoch(session);
    plan_stages(session, epoch);
  }
  if (session.request.rewrite_timestamp && !session.source_date_epoch) {
    spdlog::warn("rewrite-timestamp: there is no SOURCE_DATE_EPOCH to rewrite to; times of files stay as they are");
  }
}

// Waits for layers that are still being captured, downloaded or uploaded. From here on nothing about the image changes.
Task<void> finish_transfers(Session& session, const StageResult& stage) {
  if (wants_files(session.request)) {
    for (const auto& layer : stage.layers) want_bytes(session, layer);
  }
  co_await session.transfers.join();
}

oci::Image assemble(const Session& session, const StageResult& stage) {
  oci::Image image;
  const oci::ImageConfig config = final_config(session, stage);
  image.config_bytes = oci::serialize(config);
  image.platform = config.platform;
  image.manifest.format = stage.format;
  image.manifest.annotations = session.request.annotations;
  const bool docker = stage.format == oci::ImageFormat::docker;
  image.manifest.config.media_type = docker ? oci::media_type::docker_config : oci::media_type::oci_config;
  image.manifest.config.digest = oci::Digest::of(io::as_bytes(image.config_bytes));
  image.manifest.config.size = image.config_bytes.size();
  for (const auto& layer : stage.layers) {
    oci::Descriptor descriptor = layer->descriptor;
    descriptor.media_type = oci::layer_media_type(stage.format, oci::compression_of(descriptor.media_type));
    descriptor.urls.clear();  // a foreign layer is sent like any other
    image.manifest.layers.push_back(std::move(descriptor));
    image.layers.push_back(layer->blob);
  }
  image.manifest_bytes = oci::serialize(image.manifest);
  image.manifest_digest = oci::Digest::of(io::as_bytes(image.manifest_bytes));
  return image;
}

// A full disk is the commonest end of a build in a pod, and its name alone does not say which disk.
void explain_full_disk(const Session& session, std::exception_ptr& failure) {
  io::Error error = io::as_error(failure);
  if (error.message().find(std::strerror(ENOSPC)) == std::string::npos) return;
  std::string free;
  for (const auto& path : {std::string("/"), session.request.work_directory}) {
    std::error_code ignored;
    const auto space = std::filesystem::space(path, ignored);
    free += fmt::format("{}{} has {} MB left of {}", free.empty() ? "" : ", ", path, space.available >> 20U, space.capacity >> 20U);
  }
  failure = std::make_exception_ptr(
      io::Error(
          error.kind(),
          fmt::format("{}\n({}; more room: a larger ephemeral-storage limit, or an emptyDir at {}/work or named by --work-dir)",
                      error.message(), free, session.request.kiln_directory))
          .set_exit_code(error.exit_code()));
}

Task<BuildResult> run_build(Session& session, Publisher& publisher, StageRunner& stages) {
  check_format(session.request);
  read_dockerfile(session);
  if (session.request.cache.enabled) {
    session.file_memory = std::make_unique<FileMemory>(session.request.cache.file_memory);
    session.context_reads = std::make_unique<ContextReads>();
  }
  open_contexts(session);
  plan_stages(session);
  if (session.request.print_plan || session.request.dry_run) {
    session.progress.plan(print_plan(session.plan, find_fetches(session.plan, session.dockerfile_name)));
  }
  if (session.request.dry_run) {
    check_dockerfile(session, {});
    co_return BuildResult();
  }
  co_await resolve_epoch(session);
  if (session.request.cache.enabled) session.cache = std::make_unique<LayerCache>(session);
  if (session.request.cache.explain) {
    BuildResult looked_up;
    looked_up.cache_report = co_await stages.explain();
    co_return looked_up;
  }
  if (session.request.cache.mounts_in_registry) session.mounts = std::make_unique<MountExchange>(session);
  check_outputs(session.request);
  co_await publisher.prepare();
  const StageResultPtr target = co_await stages.run();
  co_await finish_transfers(session, *target);
  co_await stages.clean_up(false);  // before files are written, which may be in "/"
  if (session.mounts) session.mounts->start_sending();
  const oci::Image image = assemble(session, *target);
  co_await write_digest_files(session, image.manifest_digest);
  if (wants_files(session.request)) co_await write_outputs(session, image);
  std::vector<std::string> pushed = co_await publisher.push_image(image);
  write_builder_output(session.request, image.manifest_digest);
  if (session.cache) co_await session.cache->finish(true);
  if (session.mounts) co_await session.mounts->finish();
  co_await keep_base_images(session);
  BuildResult result = summarize(session, image);
  result.layers_new =
      static_cast<std::uint64_t>(std::ranges::count_if(target->layers, [](const auto& layer) { return !layer->base(); }));
  result.pushed = std::move(pushed);
  co_return result;
}

// A failed build leaves what its finished steps have made in the cache; a cancelled one stops at once.
Task<void> finish_cache(Session& session, bool cancelled) {
  if (session.mounts) {
    cancelled ? session.mounts->cancel() : session.mounts->start_sending();
    co_await session.mounts->finish();
  }
  if (!session.cache) co_return;
  if (cancelled) session.cache->cancel();
  co_await session.cache->finish(false);
}

// One try. `cache_failed`: it failed for want of a layer that the cache had promised.
Task<BuildResult> build_once(io::Runtime& runtime, BuildRequest request, Progress& progress, bool& cache_failed) {
  Session session(runtime, request, progress);
  Publisher publisher(session, request.push ? request.destinations : std::vector<std::string>());
  StageRunner stages(session, publisher);
  BuildResult result;
  std::exception_ptr failure;
  try {
    result = co_await run_build(session, publisher, stages);
  } catch (...) {
    failure = std::current_exception();
  }
  co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
  if (failure) {
    co_await session.stop_transfers(failure);
    co_await finish_cache(session, io::as_error(failure).kind() == io::ErrorKind::cancelled);
  }
  cache_failed = failure && session.cache_failed;
  if (failure) explain_full_disk(session, failure);
  co_await stages.clean_up(failure && io::as_error(failure).kind() != io::ErrorKind::cancelled);
  if (failure) std::rethrow_exception(failure);
  co_return result;
}

}  // namespace

Task<BuildResult> build(io::Runtime& runtime, BuildRequest request, Progress& progress) {
  bool cache_failed = false;
  BuildResult result;
  std::exception_ptr failure;
  try {
    result = co_await build_once(runtime, request, progress, cache_failed);
  } catch (...) {
    failure = std::current_exception();
  }
  if (!failure) co_return result;
  if (!cache_failed) std::rethrow_exception(failure);
  spdlog::warn("building again without looking anything up in the cache: {}", io::as_error(failure).message());
  request.cache.read = false;
  result = co_await build_once(runtime, std::move(request), progress, cache_failed);
  co_return result;
}

}  // namespace kiln::engine
