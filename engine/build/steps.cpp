#include "engine/build/steps.hpp"

#include <algorithm>

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "engine/plan/path.hpp"
#include "engine/rootfs/content_copy.hpp"
#include "engine/steps/archive.hpp"
#include "io/base/error.hpp"

namespace kiln::engine {

using io::Task;

namespace {

constexpr std::size_t largest_passwd = 16U << 20U;

bool is_remote(const std::string& source) {
  return source.starts_with("http://") || source.starts_with("https://") || source.starts_with("git://") || source.starts_with("git@") ||
         source.starts_with("ssh://");
}

void refuse_unsupported(const CopyStep& step) {
  const char* keyword = step.is_add ? "ADD" : "COPY";
  if (step.checksum) throw io::Error(io::ErrorKind::unsupported, fmt::format("{} --checksum is not supported yet", keyword));
  for (const auto& source : step.sources) {
    if (is_remote(source)) throw io::Error(io::ErrorKind::unsupported, fmt::format("ADD of a URL is not supported yet: {}", source));
  }
}

}  // namespace

Task<void> StageRunner::Steps::run() {
  for (std::size_t number = 0; number < resolved_.steps.size(); ++number) {
    co_await run_step(number);
  }
  if (!session_.request.single_snapshot || resolved_.steps.empty()) co_return;
  for (std::size_t i = 0; i + 1 < resolved_.steps.size(); ++i) {
    stage_->config.history[resolved_.steps[i].history].empty_layer = true;
  }
  co_await capture(accumulated());
}

Task<void> StageRunner::Steps::run_step(std::size_t number) {
  const Step& step = resolved_.steps[number];
  Progress::StepInfo info;
  info.id = session_.next_step++;
  info.stage = session_.plan.stages.size() > 1 ? stage_->name : "";
  info.index = static_cast<int>(number) + 1;
  info.count = static_cast<int>(resolved_.steps.size());
  info.text = step.text;
  session_.progress.step_started(info);
  const auto started = std::chrono::steady_clock::now();
  std::optional<io::Error> failure;
  try {
    Changes changes;
    if (const auto* run = std::get_if<RunStep>(&step.action)) {
      changes = co_await perform(*run, number, info.id);
    } else if (const auto* copy = std::get_if<CopyStep>(&step.action)) {
      changes = co_await perform(*copy, number, info.id);
    } else {
      changes = co_await perform(std::get<WorkdirStep>(step.action), number, info.id);
    }
    co_await record(changes);
    session_.progress.step_finished(info.id, std::chrono::steady_clock::now() - started, fmt::format("{} changes", changes.size()));
  } catch (...) {
    failure = io::as_error(std::current_exception());
  }
  if (!failure) co_return;
  if (failure->kind() != io::ErrorKind::cancelled) {
    failure->add_context(fmt::format("{}:{}: {}", session_.dockerfile_name, step.location.first_line, step.text));
    session_.progress.step_failed(info.id, failure->message());
  }
  throw *failure;
}

// A layer for the step, or a note for the one layer at the end.
Task<void> StageRunner::Steps::record(const Changes& changes) {
  if (!session_.request.single_snapshot) {
    co_await capture(changes);
    co_return;
  }
  for (const auto& change : changes) touched_.insert(change.path);
}

Changes StageRunner::Steps::accumulated() const {
  Changes changes;
  std::string removed;
  for (const auto& path : touched_) {
    if (stage_->tree->find(path)) {
      changes.push_back({Change::Kind::put, path});
    } else if (before_all_.find(path) && (removed.empty() || !path.starts_with(removed + "/"))) {
      changes.push_back({Change::Kind::remove, path});
      removed = path;
    }
  }
  std::sort(changes.begin(), changes.end(), [](const Change& a, const Change& b) { return path_less(a.path, b.path); });
  return changes;
}

Task<void> StageRunner::Steps::capture(Changes changes) {
  const auto capture = start_capture(session_, *stage_->tree, std::move(changes), stage_->format);
  stage_->layers.push_back(capture->layer);
  if (runner_.published_.contains(index_)) runner_.publisher_.push_layer(capture->layer);
  // An overlay's directories do not change any more; elsewhere the next RUN may change what is being read.
  const bool disk_may_change = stage_->rootfs && stage_->rootfs->shape() != RootfsShape::overlay;
  if (disk_may_change) co_await wait_captured(capture);
}

// -- RUN -------------------------------------------------------------------------------------------------------------

Task<Changes> StageRunner::Steps::perform(const RunStep& step, std::size_t, int id) {
  RunRequest request;
  const UserDatabase database = co_await users();
  const Identity identity = resolve_user(database, step.user);
  request.arguments = step.arguments;
  request.environment = step.environment;
  const bool has_home = std::any_of(step.environment.begin(), step.environment.end(), [](const auto& entry) { return entry.starts_with("HOME="); });
  if (!has_home) request.environment.push_back("HOME=" + identity.home);
  request.working_directory = step.working_directory;
  request.uid = identity.uid;
  request.gid = identity.gid;
  request.groups = identity.groups;
  request.no_network = step.no_network;
  request.on_line = [this, id](int stream, std::string_view line) { session_.progress.step_output(id, stream, line); };

  Rootfs& root = *stage_->rootfs;
  root.push_upper(*stage_->tree);
  if (!detector_) detector_ = make_detector(session_.request.snapshot_mode, session_.runtime, root);
  {
    const PhaseClock::Activity snapshot(session_.clock, "snapshot");
    co_await detector_->arm(root, *stage_->tree);
  }
  io::ExitStatus status;
  {
    const PhaseClock::Activity running(session_.clock, "run");
    status = co_await sandbox_->run(root, std::move(request));
  }
  if (!status.ok()) {
    throw io::Error(io::ErrorKind::process, status.signal != 0 ? fmt::format("the command was ended by signal {}", status.signal)
                                                               : fmt::format("the command failed with exit code {}", status.code))
        .set_exit_code(status.code);
  }
  const PhaseClock::Activity snapshot(session_.clock, "snapshot");
  Changes changes = co_await detector_->detect(root, *stage_->tree);
  co_return changes;
}

// -- WORKDIR ---------------------------------------------------------------------------------------------------------

Task<Changes> StageRunner::Steps::perform(const WorkdirStep& step, std::size_t number, int) {
  Tree& tree = *stage_->tree;
  const std::string path = resolve_in_tree(tree, step.path);
  Changes changes;
  if (tree.find(path)) co_return changes;
  const UserDatabase database = co_await users();
  const Identity identity = resolve_user(database, step.user);
  for (std::size_t slash = path.find('/');; slash = path.find('/', slash + 1)) {
    const std::string made = path.substr(0, slash);
    if (!tree.find(made)) {
      Node node;
      node.uid = identity.uid;
      node.gid = identity.gid;
      node.mtime = session_.now;
      tree.put(made, std::move(node));
      changes.push_back({Change::Kind::put, made});
    }
    if (slash == std::string::npos) break;
  }
  if (number < last_run_) co_await stage_->rootfs->apply(tree, changes);
  co_return changes;
}

// -- COPY and ADD ----------------------------------------------------------------------------------------------------

Task<CopyRules> StageRunner::Steps::rules_for(const CopyStep& step) {
  CopyRules rules;
  rules.from_context = !step.from;
  rules.parents = step.parents;
  rules.now = session_.now;
  if (step.chmod) rules.mode = ModeChange(*step.chmod);
  if (step.chown) {
    const UserDatabase database = co_await users();
    rules.owner = resolve_chown(database, *step.chown);
  }
  co_return rules;
}

Task<Changes> StageRunner::Steps::perform(const CopyStep& step, std::size_t number, int) {
  refuse_unsupported(step);
  CopyRules rules = co_await rules_for(step);
  Changes changes;
  if (step.from) {
    co_await copy_from_stage(step, std::move(rules), changes);
  } else {
    CopyOperation operation(*stage_->tree, std::move(rules));
    co_await copy_from_context(step, operation);
    changes = operation.take_changes();
  }
  co_await fetch_contents(changes);
  if (number < last_run_) co_await stage_->rootfs->apply(*stage_->tree, changes);
  co_return changes;
}

Task<Tree> StageRunner::Steps::scan_context(const CopyStep& step) {
  if (!session_.context) {
    throw io::Error(io::ErrorKind::context, fmt::format("{} needs a build context, and there is none", step.is_add ? "ADD" : "COPY"));
  }
  Tree tree;
  for (const auto& root : scan_roots(step.sources)) {
    tree = co_await session_.context->scan(session_.runtime, root);
    // A symlink on the way, or as the source: its target may be anywhere in the context.
    const Node* node = tree.find(root);
    if (!node || node->type == FileType::symlink) tree = co_await session_.context->scan(session_.runtime, "");
  }
  co_return tree;
}

Task<void> StageRunner::Steps::copy_from_context(const CopyStep& step, CopyOperation& operation) {
  const bool several = step.sources.size() + step.heredocs.size() > 1;
  for (const auto& [name, body] : step.heredocs) {
    Node node;
    node.type = FileType::regular;
    node.mode = 0644;
    node.mtime = session_.now;
    node.size = body.size();
    node.content.inline_bytes = std::make_shared<const ContentInline>(ContentInline{body});
    operation.put_file(name, std::move(node), step.destination, several);
  }
  if (step.sources.empty()) co_return;
  const Tree context = co_await scan_context(step);
  if (step.is_add && step.unpack.value_or(true)) {
    co_await add_from_context(step, operation, context);
    co_return;
  }
  const IgnoreMatcher excludes = IgnoreMatcher::from_patterns(step.excludes);
  operation.copy(context, step.sources, step.destination, excludes, several);
}

// ADD: a source that is an archive is unpacked, everything else is copied.
Task<void> StageRunner::Steps::add_from_context(const CopyStep& step, CopyOperation& operation, const Tree& context) {
  const IgnoreMatcher excludes = IgnoreMatcher::from_patterns(step.excludes);
  const bool several = step.sources.size() + step.heredocs.size() > 1;
  for (const auto& source : step.sources) {
    const Node* node = context.find(resolve_in_tree(context, clean_path(source)));
    if (!node || node->type != FileType::regular) {
      operation.copy(context, {source}, step.destination, excludes, several);
      continue;
    }
    const auto entries = co_await read_archive(session_.runtime, node->content, source, session_.scratch);
    if (!entries) {
      operation.copy(context, {source}, step.destination, excludes, several);
      continue;
    }
    const std::string directory = operation.make_destination(step.destination);
    for (const auto& entry : *entries) operation.put_archived(directory, entry.path, entry.node);
  }
}

Task<void> StageRunner::Steps::copy_from_stage(const CopyStep& step, CopyRules rules, Changes& changes) {
  const StageResultPtr source = co_await runner_.start_from(*step.from);
  co_await runner_.ensure_tree(source);
  // What the source's root file system holds is read from there, everything else from its layer.
  rules.take = [source](const std::string& path, Node& node) {
    if (node.type == FileType::regular && node.content.layer && node.stamp.on_disk() && source->rootfs) {
      node.content = source->rootfs->locate(path);
    }
  };
  CopyOperation operation(*stage_->tree, std::move(rules));
  const IgnoreMatcher excludes = IgnoreMatcher::from_patterns(step.excludes);
  const bool several = step.sources.size() + step.heredocs.size() > 1;
  operation.copy(*source->tree, step.sources, step.destination, excludes, several);
  changes = operation.take_changes();
}

// Contents that are still inside layer blobs become scratch files, each blob inflated once.
Task<void> StageRunner::Steps::fetch_contents(const Changes& changes) {
  std::vector<std::pair<std::string, Content>> wanted;
  for (const auto& change : changes) {
    const Node* node = change.kind == Change::Kind::put ? stage_->tree->find(change.path) : nullptr;
    if (node && node->content.layer) wanted.emplace_back(change.path, node->content);
  }
  if (wanted.empty()) co_return;
  std::vector<Content*> contents;
  for (auto& entry : wanted) contents.push_back(&entry.second);
  co_await materialize_layer_contents(session_.runtime, std::move(contents), session_.scratch);
  for (auto& [path, content] : wanted) {
    stage_->tree->update(path, [&](Node& node) { node.content = content; });
  }
}

// -- users -----------------------------------------------------------------------------------------------------------

Task<std::string> StageRunner::Steps::read_text(const std::string& path) {
  const Node* node = stage_->tree->find(resolve_in_tree(*stage_->tree, path));
  if (!node || node->type != FileType::regular) co_return "";
  Content content = node->content;
  if (node->stamp.on_disk() && stage_->rootfs && content.layer) content = stage_->rootfs->locate(resolve_in_tree(*stage_->tree, path));
  if (content.layer) co_await materialize_layer_contents(session_.runtime, {&content}, session_.scratch);
  co_return read_small(content, std::min<std::size_t>(node->size, largest_passwd));
}

Task<UserDatabase> StageRunner::Steps::users() {
  const std::string passwd = co_await read_text("etc/passwd");
  const std::string group = co_await read_text("etc/group");
  co_return UserDatabase(passwd, group);
}

}  // namespace kiln::engine
