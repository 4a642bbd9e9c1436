// Named contexts (--build-context): a directory, a git repository, a file from a URL or an image in a layout, for FROM, COPY --from
// and a mount's from.
#include <cstdlib>
#include <filesystem>

#include <fmt/format.h>

#include "engine/build/context_reads.hpp"
#include "engine/build/stage.hpp"
#include "engine/cache/copied_files.hpp"
#include "engine/context/source_login.hpp"
#include "engine/steps/remote_sources.hpp"
#include "io/base/error.hpp"

namespace kiln::engine {

namespace {

using io::Task;

constexpr std::string_view layout_scheme = "oci-layout://";

Task<Tree> fetch_url(Session& session, std::string url) {
  Node file = co_await download_source(session.runtime, session.http, url, std::nullopt,
                                       download_authorization(session.request.secrets, url), session.scratch);
  Tree tree;
  tree.put(download_name(url), std::move(file));
  co_return tree;
}

Changes everything_in(const Tree& tree) {
  Changes changes;
  tree.walk("", [&changes](const std::string& path, const Node&) {
    if (!path.empty()) changes.push_back({Change::Kind::put, path});
    return true;
  });
  return changes;
}

}  // namespace

std::optional<std::string> local_directory(const std::string& value) {
  if (value.starts_with(layout_scheme)) return layout_place_directory(value.substr(layout_scheme.size()));
  if (value.starts_with('/')) return value;
  return std::nullopt;
}

void open_named_contexts(Session& session) {
  for (const auto& [name, value] : session.request.named_contexts) {
    if (!value.starts_with('/')) continue;
    // It obeys its own .dockerignore.
    const auto opened = session.named_contexts.try_emplace(name, value, load_ignore_file(value + "/", value), "context " + name);
    opened.first->second.remember_in(session.file_memory.get());
  }
}

GitLogin StageRunner::git_login(const std::string& remote) const {
  const BuildRequest& request = session_.request;
  GitLogin login = engine::git_login(request.secrets, request.ssh_agents, remote);
  if (!login.agent.empty()) login.agent = root_.where(login.agent);
  if (const char* home = std::getenv("HOME"))
    login.home = std::filesystem::path(root_.where(std::string(home) + "/.ssh")).parent_path();
  return login;
}

Task<Tree> StageRunner::read_context(std::string name, std::string value) {
  if (auto git = parse_git_reference(value)) {
    const bool keep = git->keep_git_dir.value_or(false);
    std::string directory = fmt::format("{}/git{}", session_.scratch_directory, session_.next_checkout++);
    GitLogin login = git_login(git->remote);
    Tree tree =
        co_await fetch_git_source(session_.runtime, std::move(*git), keep, std::move(login), session_.now, std::move(directory));
    co_return tree;
  }
  if (is_download(value)) {
    Tree tree = co_await fetch_url(session_, std::move(value));
    co_return tree;
  }
  Tree tree = co_await session_.named_contexts.at(name).scan(session_.runtime, "");
  co_return tree;
}

Task<StageResultPtr> StageRunner::load_context(Source source) {
  const std::string value = session_.request.named_contexts.at(source.context);
  const auto reading = co_await root_.read();
  StageResultPtr result;
  std::exception_ptr failure;
  try {
    if (value.starts_with(layout_scheme)) {
      std::string place = value.substr(layout_scheme.size());
      const std::string directory = layout_place_directory(place);
      place.replace(0, directory.size(), root_.where(directory));
      const auto image = co_await load_layout_image(session_, std::move(place), source.platform);
      result = result_of(*image, source.platform);
    } else {
      result = std::make_shared<StageResult>();
      result->config = scratch_config(session_.request.platform);
      result->format = session_.request.scratch_format;
      result->tree = co_await read_context(source.context, value);
    }
  } catch (...) {
    failure = std::current_exception();
  }
  if (failure) io::rethrow_with_context(failure, fmt::format("--build-context {}", source.context));
  co_return result;
}

// FROM a context that is no image: its files are the first layer.
Task<void> StageRunner::prepare_context_base(const PlannedStage& stage, StageInput& input, std::string& key) {
  const StageResultPtr base = co_await base_of(stage);
  const Changes files = everything_in(*base->tree);
  if (files.empty()) co_return;
  if (caching()) {
    CopyStep all;
    all.from = stage.base;
    all.sources = {"."};
    Listing listing(session_.file_memory.get());
    list_copied_files(all, ".", *base->tree, listing);
    session_.context_reads->add(all, listing);
    key = co_await fingerprint(session_.runtime, listing);
  }
  oci::History entry;
  entry.created = session_.created;
  entry.created_by = "context " + stage.base.context;
  entry.comment = "buildkit.exporter.image.v0";
  input.base.history.push_back(std::move(entry));
}

void StageRunner::add_context_layer(StageResult& stage) {
  Changes files = everything_in(*stage.tree);
  if (files.empty()) return;
  stage.layers.push_back(start_capture(session_, *stage.tree, std::move(files), stage.format)->layer);
}

}  // namespace kiln::engine
