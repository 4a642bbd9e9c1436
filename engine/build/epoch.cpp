#include "engine/build/epoch.hpp"

#include <algorithm>

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "engine/context/source_login.hpp"
#include "engine/steps/archive.hpp"
#include "engine/steps/remote_sources.hpp"

namespace kiln::engine {

namespace {

using io::Task;
using Seconds = std::optional<std::int64_t>;

Task<Seconds> time_of_commit(Session& session, GitReference git) {
  git.commit_time = true;
  git.submodules = false;
  git.subdir.clear();
  std::string directory = fmt::format("{}/git{}", session.scratch_directory, session.next_checkout++);
  GitLogin login = git_login(session.request.secrets, session.request.ssh_agents, git.remote);
  const Tree tree =
      co_await fetch_git_source(session.runtime, std::move(git), false, std::move(login), session.now, std::move(directory));
  co_return tree.find("")->mtime.seconds;
}

Task<Seconds> time_of_download(Session& session, std::string url, std::optional<std::string> checksum) {
  std::string login = download_authorization(session.request.secrets, url);
  const Node file =
      co_await download_source(session.runtime, session.http, url, std::move(checksum), std::move(login), session.scratch);
  if (file.mtime != FileTime{}) co_return file.mtime.seconds;
  Seconds newest;
  const auto entries = co_await read_archive(session.runtime, file.content, url, session.scratch);
  if (!entries) co_return newest;
  for (const auto& entry : *entries) {
    if (!entry.hard_link.empty() || entry.node.type != FileType::regular) continue;
    newest = std::max(newest.value_or(entry.node.mtime.seconds), entry.node.mtime.seconds);
  }
  co_return newest;
}

}  // namespace

Task<LookedUpEpoch> look_up_epoch(Session& session) {
  const EpochSource source = session.plan.epoch;
  LookedUpEpoch found;
  if (source.build_context) {
    found.seconds = session.request.context_time;
  } else if (auto git = parse_git_reference(source.place)) {
    if (source.checksum) git->checksum = *source.checksum;
    found.seconds = co_await time_of_commit(session, std::move(*git));
  } else if (!source.place.empty()) {
    found.seconds = co_await time_of_download(session, source.place, source.checksum);
  }
  if (found.seconds) {
    session.progress.message(fmt::format("SOURCE_DATE_EPOCH={} is {}", source.text, created_text(*found.seconds)));
  } else {
    spdlog::warn(
        "SOURCE_DATE_EPOCH={}: it has no time (git repositories, archives and files from servers have one); the build goes on "
        "without",
        source.text);
  }
  co_return found;
}

}  // namespace kiln::engine
