#include "engine/build/steps.hpp"

#include <algorithm>

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "engine/build/context_reads.hpp"
#include "engine/build/layer_cache.hpp"
#include "engine/plan/path.hpp"
#include "engine/rootfs/content_copy.hpp"
#include "io/base/error.hpp"
#include "io/base/seconds_now.hpp"

namespace kiln::engine {

using io::Task;

namespace {

constexpr std::size_t largest_passwd = 16U << 20U;

// WORKDIR needs directories all the way.
void refuse_file(const Tree& tree, const std::string& path) {
  for (std::size_t slash = path.find('/');; slash = path.find('/', slash + 1)) {
    const auto node = tree.find(path.substr(0, slash));
    if (node && node->type != FileType::directory) {
      throw io::Error(io::ErrorKind::filesystem, fmt::format("mkdir /{}: /{} is not a directory", path, path.substr(0, slash)));
    }
    if (!node || slash == std::string::npos) return;
  }
}

}  // namespace

std::vector<Source> sources_of(const Step& step) {
  std::vector<Source> sources;
  if (const auto* copy = std::get_if<CopyStep>(&step.action)) {
    if (copy->from) sources.push_back(*copy->from);
  } else if (const auto* run = std::get_if<RunStep>(&step.action)) {
    for (const auto& mount : run->mounts) {
      if (mount.from) sources.push_back(*mount.from);
    }
  }
  return sources;
}

Progress::StepInfo StageRunner::Steps::info_of(Session& session, const std::string& stage, const ResolvedStage& resolved,
                                               std::size_t number) {
  Progress::StepInfo info;
  info.id = session.next_step++;
  info.stage = session.plan.stages.size() > 1 ? stage : "";
  info.index = static_cast<int>(number) + 1;
  info.count = static_cast<int>(resolved.steps.size());
  info.text = resolved.steps[number].text;
  return info;
}

Task<void> StageRunner::Steps::run(std::size_t first) {
  for (std::size_t number = first; number < resolved_.steps.size(); ++number) {
    co_await run_step(number);
  }
  if (!session_.request.single_snapshot || resolved_.steps.empty()) co_return;
  for (std::size_t i = 0; i + 1 < resolved_.steps.size(); ++i) {
    stage_->config.history[resolved_.steps[i].history].empty_layer = true;
  }
  co_await capture(all_changes_.all(*stage_->tree), {});
}

Task<void> StageRunner::Steps::run_step(std::size_t number) {
  const Step& step = resolved_.steps[number];
  co_await runner_.load_sources(step);  // waiting for another stage is not this step's time
  const Progress::StepInfo info = info_of(session_, stage_->name, resolved_, number);
  session_.progress.step_started(info);
  const auto started = std::chrono::steady_clock::now();
  std::optional<io::Error> failure;
  try {
    Changes changes;
    snapshot_took_.reset();
    if (const auto* run = std::get_if<RunStep>(&step.action)) {
      changes = co_await perform(*run, number, info.id);
    } else if (const auto* copy = std::get_if<CopyStep>(&step.action)) {
      changes = co_await perform(*copy, number, info.id);
    } else {
      changes = co_await perform(std::get<WorkdirStep>(step.action), number, info.id);
    }
    const std::int64_t made = co_await record(changes, number);
    auto& entry = stage_->config.history[step.history];
    if (entry.created.empty()) entry.created = created_text(made);
    Progress::StepOutcome outcome = outcome_of(changes);
    outcome.took = std::chrono::steady_clock::now() - started;
    session_.progress.step_finished(info.id, outcome);
  } catch (...) {
    failure = io::as_error(std::current_exception());
  }
  if (!failure) co_return;
  if (failure->kind() != io::ErrorKind::cancelled) {
    failure = runner_.error_at(step.location, failure->add_context(step.text));
    session_.progress.step_failed(info.id, failure->message());
  }
  throw *failure;
}

Progress::StepOutcome StageRunner::Steps::outcome_of(const Changes& changes) const {
  Progress::StepOutcome outcome;
  outcome.changes = changes.size();
  for (const auto& change : changes) {
    const auto node = change.kind == Change::Kind::put ? stage_->tree->find(change.path) : std::nullopt;
    if (node && node->type == FileType::regular) outcome.bytes += node->size;
  }
  if (snapshot_took_) {
    const double milliseconds = std::chrono::duration<double, std::milli>(*snapshot_took_).count();
    outcome.detail = fmt::format("{} snapshot {:.1f} ms", detector_->name(), milliseconds);
  }
  return outcome;
}

// A layer for the step, or a note for the one layer at the end. Gives the time, in seconds.
Task<std::int64_t> StageRunner::Steps::record(const Changes& changes, std::size_t number) {
  if (number >= last_run_ && stage_->rootfs) {
    for (const auto& change : changes) stage_->off_disk.insert(change.path);
  }
  if (!session_.request.single_snapshot) {
    LayerCache::NewEntry entry = number < entries_.size() ? entries_[number] : LayerCache::NewEntry();
    entry.reads_context = reads_context(session_, resolved_.steps[number]);
    const std::int64_t made = co_await capture(changes, std::move(entry));
    co_return made;
  }
  all_changes_.add(*stage_->tree, changes);
  co_return io::seconds_now();
}

Task<std::int64_t> StageRunner::Steps::capture(Changes changes, LayerCache::NewEntry entry) {
  const std::unique_ptr<InPlaceRoot::Reading> reading = std::move(reading_);  // as long as files are read
  if (!runner_.layers_are_read(index_, *stage_)) co_return io::seconds_now();
  const auto capture = start_capture(session_, *stage_->tree, changes, stage_->format);
  if (detector_) detector_->keep_captured(*stage_->tree, changes, capture->layer->blob);
  stage_->layers.push_back(capture->layer);
  const bool published = runner_.published_.contains(index_);
  if (published) runner_.publisher_.push_layer(capture->layer);
  if (session_.cache && !entry.key.empty()) {
    WholeFiles whole = co_await read_users(session_, *stage_, *stage_->tree, &changes);
    session_.cache->remember_files(entry, capture->layer, *stage_->tree, changes, std::move(whole));
    session_.cache->remember(std::move(entry), capture->layer, published);
  }
  // An overlay's directories do not change any more; elsewhere the next RUN may change what is being read.
  const bool disk_may_change = stage_->rootfs && stage_->rootfs->shape() != RootfsShape::overlay;
  if (disk_may_change || reading) co_await wait_captured(capture);
  co_return capture->layer->created;
}

// -- WORKDIR ---------------------------------------------------------------------------------------------------------

Task<Changes> StageRunner::Steps::perform(const WorkdirStep& step, std::size_t number, int) {
  Tree& tree = *stage_->tree;
  const std::string path = resolve_in_tree(tree, step.path);
  Changes changes;
  refuse_file(tree, path);
  if (tree.find(path)) co_return changes;
  // As --chown: a name that the image does not have is root (BuildKit's readUser).
  const UserDatabase database = co_await users();
  std::vector<std::string> missing;
  const Owner owner = resolve_chown(database, step.user, missing);
  for (const auto& name : missing) {
    spdlog::warn("WORKDIR {} as USER {}: the image has no {}; as with docker, root stands in", step.path, step.user, name);
  }
  for (std::size_t slash = path.find('/');; slash = path.find('/', slash + 1)) {
    const std::string made = path.substr(0, slash);
    if (!tree.find(made)) {
      Node node;
      node.uid = owner.uid;
      node.gid = owner.gid;
      node.mtime = session_.now;
      tree.put(made, std::move(node));
      changes.push_back({Change::Kind::put, made});
    }
    if (slash == std::string::npos) break;
  }
  if (number < last_run_) co_await stage_->rootfs->apply(tree, changes);
  co_return changes;
}

// -- users -----------------------------------------------------------------------------------------------------------

namespace {

constexpr const char* passwd_path = "etc/passwd";
constexpr const char* group_path = "etc/group";

// `path`: without symlinks.
Task<std::string> read_text(Session& session, const StageResult& stage, const Tree& tree, std::string path) {
  const auto node = tree.find(path);
  if (!node || node->type != FileType::regular) co_return "";
  Content content = node->content;
  if (node->stamp.on_disk() && stage.rootfs && content.layer) content = stage.rootfs->locate(path);
  if (content.layer) co_await materialize_layer_contents(session.runtime, {&content}, session.scratch);
  co_return read_small(content, std::min<std::size_t>(node->size, largest_passwd));
}

}  // namespace

Task<WholeFiles> read_users(Session& session, const StageResult& stage, const Tree& tree, const Changes* changes) {
  WholeFiles files;
  for (const char* path : {passwd_path, group_path}) {
    const std::string place = resolve_in_tree(tree, path);
    if (changes && !std::ranges::binary_search(*changes, std::string_view(place), path_less, &Change::path)) continue;
    std::string text = co_await read_text(session, stage, tree, place);
    if (!text.empty()) files[place] = std::move(text);
  }
  co_return files;
}

Task<UserDatabase> StageRunner::Steps::users() {
  const WholeFiles files = co_await read_users(session_, *stage_, *stage_->tree);
  const auto text = [&](const char* path) {
    const auto found = files.find(resolve_in_tree(*stage_->tree, path));
    return found == files.end() ? std::string() : found->second;
  };
  co_return UserDatabase(text(passwd_path), text(group_path));
}

}  // namespace kiln::engine
