#include <array>
#include <cstdlib>
#include <vector>

#include <fmt/format.h>

#include "engine/context/context.hpp"
#include "engine/context/git_program.hpp"
#include "engine/dockerfile/text.hpp"
#include "engine/steps/remote_sources.hpp"
#include "io/base/error.hpp"
#include "io/file/make_directories.hpp"

namespace kiln::engine {

namespace {

using io::Task;

// What git needs of ours and nothing else: no configuration but the repository's own, no other protocols.
std::vector<std::string> git_environment() {
  std::vector<std::string> variables = {"GIT_CONFIG_GLOBAL=/dev/null", "GIT_ALLOW_PROTOCOL=http:https:ssh:git", "LC_ALL=C"};
  constexpr auto kept = std::to_array<const char*>({"PATH", "HOME", "USER", "SSH_AUTH_SOCK", "GIT_SSH", "GIT_SSH_COMMAND",
                                                    "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy",
                                                    "no_proxy", "GIT_SSL_CAINFO", "GIT_SSL_CAPATH"});
  for (const char* name : kept) {
    if (const char* value = std::getenv(name)) variables.push_back(fmt::format("{}={}", name, value));
  }
  return variables;
}

// A commit that servers do not give by its name is looked for in everything they have. Gives what git calls the thing here.
Task<std::string> check_out(const GitProgram& git, GitReference reference) {
  co_await git.run({"init", "--quiet"});
  co_await git.run({"remote", "add", "origin", reference.remote});
  const std::string ref = reference.ref.empty() ? "HEAD" : reference.ref;
  const GitProgram::Outcome shallow = co_await git.attempt({"fetch", "--quiet", "--depth=1", "--no-tags", "origin", ref});
  std::string commit = "FETCH_HEAD";
  if (shallow.failed && is_git_commit(ref)) {
    co_await git.run({"fetch", "--quiet", "origin", "+refs/*:refs/remotes/origin/*"});
    commit = ref;
  } else if (shallow.failed && shallow.text.find("shallow") != std::string::npos) {
    co_await git.run({"fetch", "--quiet", "--no-tags", "origin", ref});
  } else if (shallow.failed) {
    throw git.failure("fetch", shallow.text);
  }
  co_await git.run({"checkout", "--quiet", "--detach", commit});
  co_return commit;
}

void check_commit(const GitCommit& commit, const GitReference& reference) {
  if (commit.matches(reference.checksum)) return;
  throw io::Error(io::ErrorKind::integrity,
                  fmt::format("{}: expected checksum to match {}, got {}", reference.remote, reference.checksum, commit.commit));
}

// What has been checked out.
Task<GitCommit> commit_of(const GitProgram& git, std::string name) {
  GitCommit commit;
  commit.commit = co_await git.run({"rev-parse", "HEAD"});
  const GitProgram::Outcome tag = co_await git.attempt({"rev-parse", "--quiet", "--verify", name + "^{tag}"});
  if (!tag.failed) commit.tag = tag.text;
  co_return commit;
}

}  // namespace

Task<Tree> fetch_git_source(io::Runtime& runtime, GitReference reference, bool keep_git_dir, GitLogin login, FileTime now,
                            std::string directory, GitCommit* commit) {
  io::make_directories(directory);
  const GitProgram git(runtime, directory, git_environment(), reference.remote, login, reference.remote);
  const std::string name = co_await check_out(git, reference);
  const GitCommit fetched = co_await commit_of(git, name);
  check_commit(fetched, reference);
  if (commit) *commit = fetched;
  if (reference.submodules) co_await git.update_submodules({"--depth=1"});
  FileTime time = now;
  if (reference.commit_time) {
    const std::int64_t seconds = co_await git.commit_time();
    time = {seconds, 0};
  }
  Context checkout(directory, IgnoreMatcher::from_patterns({keep_git_dir && reference.subdir.empty() ? "" : ".git"}),
                   "checkout of " + reference.remote);
  const Tree files = co_await checkout.scan(runtime, reference.subdir);
  const auto root = files.find(reference.subdir);
  if (!root || !root->is_directory()) {
    throw io::Error(io::ErrorKind::context, fmt::format("{}: there is no directory '{}'", reference.remote, reference.subdir));
  }
  Tree tree;
  const std::size_t skipped = reference.subdir.empty() ? 0 : reference.subdir.size() + 1;
  files.walk(reference.subdir, [&](const std::string& path, const Node& found) {
    Node node = found;
    const bool executable = node.is_directory() || (node.mode & 0100) != 0;
    if (node.type != FileType::symlink) node.mode = executable ? 0755 : 0644;
    node.mtime = time;
    node.xattrs.reset();
    node.link_id = 0;
    tree.put(path == reference.subdir ? "" : path.substr(skipped), std::move(node));
    return true;
  });
  co_return tree;
}

Task<GitCommit> resolve_git_source(io::Runtime& runtime, GitReference reference, GitLogin login, std::string directory) {
  GitCommit commit;
  if (is_git_commit(reference.ref)) {
    commit.commit = dockerfile::lower(reference.ref);
  } else {
    std::vector<std::string> environment = git_environment();
    // No repository that the directory may be in has a word in this.
    environment.push_back("GIT_CEILING_DIRECTORIES=" + directory.substr(0, directory.rfind('/')));
    const GitProgram git(runtime, directory, std::move(environment), reference.remote, login, reference.remote);
    const std::string ref = reference.ref.empty() ? "HEAD" : reference.ref;
    const std::string listing = co_await git.run({"ls-remote", "--quiet", "--", reference.remote, ref, ref + "^{}"});
    const std::optional<GitCommit> found = find_git_commit(listing, ref);
    if (!found) throw io::Error(io::ErrorKind::context, fmt::format("{}: there is no ref '{}'", reference.remote, ref));
    commit = *found;
  }
  check_commit(commit, reference);
  co_return commit;
}

}  // namespace kiln::engine
