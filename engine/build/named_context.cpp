// Named contexts (--build-context): a directory, a git repository or a URL as what COPY --from and a mount's from read.
#include <fmt/format.h>

#include "engine/build/stage.hpp"
#include "engine/steps/archive.hpp"
#include "engine/steps/copy.hpp"
#include "engine/steps/remote_sources.hpp"
#include "io/base/error.hpp"

namespace kiln::engine {

namespace {

using io::Task;

// An archive's entries, or the file itself.
Task<Tree> fetch_url(Session& session, std::string url) {
  const Node file = co_await download_source(session.runtime, session.http, url, std::nullopt, session.scratch);
  const auto entries = co_await read_archive(session.runtime, file.content, url, session.scratch);
  Tree tree;
  if (!entries) {
    tree.put(download_name(url), file);
    co_return tree;
  }
  CopyRules rules;
  rules.now = session.now;
  CopyOperation operation(tree, std::move(rules));
  for (const auto& entry : *entries) operation.put_archived("", entry);
  co_return tree;
}

Task<Tree> read_context(Session& session, std::string name, std::string value) {
  if (auto git = parse_git_reference(value)) {
    const bool keep = git->keep_git_dir.value_or(false);
    std::string directory = fmt::format("{}/git{}", session.scratch_directory, session.next_checkout++);
    Tree tree = co_await fetch_git_source(session.runtime, std::move(*git), keep, session.now, std::move(directory));
    co_return tree;
  }
  if (is_download(value)) {
    Tree tree = co_await fetch_url(session, std::move(value));
    co_return tree;
  }
  if (value.find("://") != std::string::npos) {
    throw io::Error(io::ErrorKind::unsupported, fmt::format("{}: a directory, docker-image://, a git repository or a URL", value));
  }
  // It obeys its own .dockerignore.
  Context context(value, load_ignore_file(value + "/", value), "context " + name);
  Tree tree = co_await context.scan(session.runtime, "");
  co_return tree;
}

}  // namespace

Task<void> StageRunner::load_context(std::string name, Pending& pending) {
  try {
    Tree tree = co_await read_context(session_, name, session_.request.named_contexts.at(name));
    auto result = std::make_shared<StageResult>();
    result->config = scratch_config(session_.request.platform);
    result->format = session_.request.scratch_format;
    result->tree = std::move(tree);
    pending.result = std::move(result);
  } catch (...) {
    io::Error error = io::as_error(std::current_exception());
    error.add_context(fmt::format("--build-context {}", name));
    pending.error = std::make_exception_ptr(error);
  }
  pending.changed.notify_all();
}

Task<StageResultPtr> StageRunner::context_source(std::string name) {
  auto& pending = images_["context " + name];
  Pending* context = pending.get();
  if (!context) {
    pending = std::make_unique<Pending>(session_.runtime.executor());
    context = pending.get();
    co_await load_context(std::move(name), *context);
  }
  while (!context->result && !context->error) co_await context->changed.wait();
  if (context->error) std::rethrow_exception(context->error);
  co_return context->result;
}

}  // namespace kiln::engine
