// COPY and ADD: where their sources come from.
#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "engine/build/layer_cache.hpp"
#include "engine/build/steps.hpp"
#include "engine/context/source_login.hpp"
#include "engine/plan/path.hpp"
#include "engine/steps/archive.hpp"
#include "engine/steps/remote_sources.hpp"
#include "io/base/error.hpp"

namespace kiln::engine {

using io::Task;

namespace {

void check_checksum(const CopyStep& step) {
  if (!step.checksum) return;
  if (step.sources.size() + step.heredocs.size() != 1) {
    throw io::Error(io::ErrorKind::dockerfile, "checksum can't be specified for multiple sources");
  }
  if (step.sources.empty() || (!is_download(step.sources.front()) && !parse_git_reference(step.sources.front()))) {
    throw io::Error(io::ErrorKind::dockerfile, "checksum requires HTTP(S) or Git sources");
  }
}

// What --parents copies is a pattern, and that of "." matches nothing (BuildKit's code).
void warn_of_empty_patterns(const CopyStep& step) {
  if (!step.parents) return;
  for (const auto& source : step.sources) {
    const auto pivot = source.find("/./");
    if (!clean_path(pivot == std::string::npos ? source : source.substr(pivot + 3)).empty()) continue;
    spdlog::warn("--parents {}: nothing is copied, as with docker: name what is in it, or use *", source);
  }
}

// With the reason, where a source is on disk and not in the context.
template <class Copy>
auto explained(const Context& context, const std::string& source, Copy copy) {
  try {
    return copy();
  } catch (const io::Error& error) {
    const std::string reason = error.message().ends_with(": not found") ? context.why_missing(clean_path(source)) : "";
    if (reason.empty()) throw;
    throw io::Error(error.kind(), error.message() + reason);
  }
}

}  // namespace

Task<CopyRules> StageRunner::Steps::rules_for(const CopyStep& step) {
  CopyRules rules;
  rules.from_context = !step.from || step.from->kind == Source::Kind::context;
  rules.now = session_.now;
  if (session_.source_date_epoch) rules.time = session_.now;
  if (step.chmod) rules.mode = ModeChange(*step.chmod);
  if (step.chown) {
    const UserDatabase database = co_await users();
    std::vector<std::string> missing;
    rules.owner = resolve_chown(database, *step.chown, missing);
    for (const auto& name : missing)
      spdlog::warn("--chown={}: the image has no {}; as with docker, root stands in", *step.chown, name);
  }
  co_return rules;
}

Task<Changes> StageRunner::Steps::perform(const CopyStep& step, std::size_t number, int) {
  check_checksum(step);
  warn_of_empty_patterns(step);
  CopyRules rules = co_await rules_for(step);
  // With --link the copy knows nothing of what it is put on; BuildKit drops the flag where there is a --chmod.
  Tree layer;
  const bool linked = step.link && !step.chmod;
  Tree& destination = linked ? layer : *stage_->tree;
  Changes changes;
  if (step.from) {
    co_await copy_from_stage(step, destination, std::move(rules), changes);
  } else {
    CopyOperation operation(destination, std::move(rules));
    co_await copy_from_context(step, operation);
    changes = operation.take_changes();
  }
  if (linked) put_layer_over(*stage_->tree, layer, changes);
  co_await fetch_contents(changes);
  if (number < last_run_) {
    warn_of_mounts(changes);
    co_await stage_->rootfs->apply(*stage_->tree, changes);
  }
  co_return changes;
}

Node heredoc_node(const Session& session, const std::string& body) {
  Node node;
  node.type = FileType::regular;
  node.mode = 0644;
  node.mtime = session.now;
  node.size = body.size();
  node.content.inline_bytes = std::make_shared<const ContentInline>(ContentInline{body});
  return node;
}

// What `source` may name, and what the links among its matches point to.
Task<Tree> scan_source(io::Runtime& runtime, Context& context, const CopyStep& step, std::string source) {
  Tree tree = co_await context.scan(runtime, scan_root(source, step.parents));
  for (const auto& path : match_wildcards(tree, source)) {
    const auto node = tree.find(path);
    if (node && node->type == FileType::symlink) tree = co_await context.scan(runtime, path);
  }
  co_return tree;
}

Task<Tree> scan_context(Session& session, const CopyStep& step, std::string source) {
  if (!session.context) {
    throw io::Error(io::ErrorKind::context,
                    fmt::format("{} needs a build context, and there is none", step.is_add ? "ADD" : "COPY"));
  }
  Tree tree = co_await scan_source(session.runtime, *session.context, step, std::move(source));
  co_return tree;
}

Task<void> StageRunner::Steps::copy_from_context(const CopyStep& step, CopyOperation& operation) {
  const IgnoreMatcher excludes = IgnoreMatcher::from_patterns(step.excludes);
  for (const auto& source : step.sources) {
    if (step.is_add) {
      const bool added = co_await add_remote(step, source, operation);
      if (added) continue;
    }
    const Tree context = co_await scan_context(session_, step, source);
    if (step.parents) {
      explained(*session_.context, source, [&] { operation.copy_with_parents(context, source, step.destination, excludes); });
      continue;
    }
    const auto matches = explained(*session_.context, source, [&] { return expand_source(context, source); });
    for (const auto& match : matches) {
      bool unpacked = false;
      if (step.is_add && step.unpack.value_or(true)) {
        unpacked = co_await unpack(operation, *context.find(match.path), source, step.destination);
      }
      if (!unpacked) operation.copy_match(context, match, step.destination, excludes);
    }
  }
  for (const auto& [name, body] : step.heredocs) operation.put_file(name, heredoc_node(session_, body), step.destination);
}

// What has been fetched for a key is taken; what the server sends now must be what it spoke of then, or no entry may be written
// that stands on that key.
Task<Node> StageRunner::Steps::download(const CopyStep& step, std::string url) {
  if (const auto known = session_.downloads.find(url); known != session_.downloads.end() && known->second.file && !step.checksum) {
    co_return *known->second.file;
  }
  std::string login = download_authorization(session_.request.secrets, url);
  std::string version;
  Node file =
      co_await download_source(session_.runtime, session_.http, url, step.checksum, std::move(login), session_.scratch, &version);
  const auto known = session_.downloads.find(url);
  if (!step.checksum && known != session_.downloads.end() && known->second.version != version && session_.cache) {
    session_.cache->stop_writing(fmt::format("{} is another file now than when the build began", url));
  }
  co_return file;
}

// ADD of a URL or a git repository; false for everything else. What comes from a server is unpacked only on demand.
Task<bool> StageRunner::Steps::add_remote(const CopyStep& step, std::string source, CopyOperation& operation) {
  if (auto git = parse_git_reference(source)) {
    add_git_flags(*git, step.checksum, step.keep_git_dir);
    std::string directory = fmt::format("{}/git{}", session_.scratch_directory, session_.next_checkout++);
    const auto reading = co_await runner_.root_.read();
    GitLogin login = runner_.git_login(git->remote);
    GitCommit commit;
    const Tree tree = co_await fetch_git_source(session_.runtime, *git, *git->keep_git_dir, std::move(login), session_.now,
                                                std::move(directory), &commit);
    const auto known = session_.downloads.find(source);
    if (known != session_.downloads.end() && !commit.matches(known->second.version) && session_.cache) {
      session_.cache->stop_writing(fmt::format("{} is at another commit now than when the build began", source));
    }
    operation.copy_match(tree, {"", ""}, step.destination, IgnoreMatcher::from_patterns(step.excludes));
    co_return true;
  }
  if (!is_download(source)) co_return false;
  Node file = co_await download(step, source);
  bool unpacked = false;
  if (step.unpack.value_or(false)) unpacked = co_await unpack(operation, file, source, step.destination);
  if (!unpacked) operation.put_file(download_name(source), std::move(file), step.destination);
  co_return true;
}

// ADD: a file that is an archive is unpacked; false for everything else.
Task<bool> StageRunner::Steps::unpack(CopyOperation& operation, const Node& file, std::string name, std::string destination) {
  if (file.type != FileType::regular) co_return false;
  const auto entries = co_await read_archive(session_.runtime, file.content, std::move(name), session_.scratch);
  if (!entries) co_return false;
  const std::string directory = operation.make_destination(destination);
  for (const auto& entry : *entries) operation.put_archived(directory, entry);
  co_return true;
}

Task<void> StageRunner::Steps::copy_from_stage(const CopyStep& step, Tree& destination, CopyRules rules, Changes& changes) {
  const StageResultPtr source = co_await runner_.start_from(*step.from);
  co_await runner_.ensure_tree(source);
  if (!reading_ && runner_.root_.used()) reading_ = co_await runner_.root_.read();
  // What the source's root file system holds is read from there, everything else from its layer.
  rules.take = [source](const std::string& path, Node& node) {
    if (node.type == FileType::regular && node.content.layer && node.stamp.on_disk() && source->rootfs) {
      node.content = source->rootfs->locate(path);
    }
  };
  CopyOperation operation(destination, std::move(rules));
  const IgnoreMatcher excludes = IgnoreMatcher::from_patterns(step.excludes);
  const Tree files = co_await with_mounted_files(source, step);
  for (const auto& written : step.sources) {
    if (step.parents) {
      operation.copy_with_parents(files, written, step.destination, excludes);
    } else {
      operation.copy(files, written, step.destination, excludes);
    }
  }
  for (const auto& [name, body] : step.heredocs) operation.put_file(name, heredoc_node(session_, body), step.destination);
  changes = operation.take_changes();
}

// In place, what a RUN writes below a mount of the pod is in no layer, but a later COPY --from finds it there, as it does with
// Kaniko: Dockerfiles that work in /workspace are common, and that is where a pod's context is. The mounts of the system and of
// the service account stay out of reach.
Task<Tree> StageRunner::Steps::with_mounted_files(StageResultPtr source, const CopyStep& step) {
  Tree tree = *source->tree;
  if (!source->rootfs || source->rootfs->shape() != RootfsShape::in_place) co_return tree;
  const ProtectedPaths reserved({"/proc", "/sys", "/dev", "/run", "/var/run", session_.request.kiln_directory});
  for (const auto& source_text : step.sources) {
    const std::string path = scan_root(source_text, step.parents);
    if (path.empty() || tree.find(path) || reserved.covers(path) || !source->rootfs->protected_paths().covers(path)) continue;
    Context mounted("/", IgnoreMatcher());
    const Tree found = co_await mounted.scan(session_.runtime, path);
    found.walk(path, [&tree](const std::string& at, const Node& node) {
      tree.put(at, node);
      return true;
    });
  }
  co_return tree;
}

// In place, a file that goes below a mount of the pod is in its layer, but a RUN sees what is mounted.
void StageRunner::Steps::warn_of_mounts(const Changes& changes) const {
  if (stage_->rootfs->shape() != RootfsShape::in_place) return;
  for (const auto& change : changes) {
    if (!stage_->rootfs->protected_paths().covers(change.path)) continue;
    spdlog::warn(
        "/{} is below a mount of this pod: the layer has it, but a RUN sees what is mounted there. Mount the context (or "
        "whatever it is) at a path that the Dockerfile does not use",
        change.path);
    return;
  }
}

// Contents that are still inside layer blobs become scratch files, each blob inflated once.
Task<void> StageRunner::Steps::fetch_contents(const Changes& changes) {
  std::vector<std::pair<std::string, Content>> wanted;
  for (const auto& change : changes) {
    const auto node = change.kind == Change::Kind::put ? stage_->tree->find(change.path) : std::nullopt;
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

}  // namespace kiln::engine
