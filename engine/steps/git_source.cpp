#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <cstdlib>
#include <filesystem>
#include <vector>

#include <fmt/format.h>

#include "engine/context/context.hpp"
#include "engine/steps/remote_sources.hpp"
#include "io/base/error.hpp"
#include "io/process/child.hpp"

namespace kiln::engine {

namespace {

using io::Task;

bool is_commit(const std::string& text) {
  return (text.size() == 40 || text.size() == 64) &&
         std::all_of(text.begin(), text.end(), [](unsigned char c) { return std::isxdigit(c) != 0; });
}

// What git needs of ours and nothing else: no configuration but the repository's own, no questions, no other protocols.
std::vector<std::string> git_environment() {
  std::vector<std::string> variables = {"GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL=/dev/null", "GIT_TERMINAL_PROMPT=0",
                                        "GIT_ALLOW_PROTOCOL=http:https:ssh:git", "LC_ALL=C"};
  constexpr auto kept =
      std::to_array<const char*>({"PATH", "HOME", "SSH_AUTH_SOCK", "GIT_SSH_COMMAND", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY",
                                  "http_proxy", "https_proxy", "no_proxy", "SSL_CERT_FILE", "SSL_CERT_DIR", "GIT_SSL_CAINFO"});
  for (const char* name : kept) {
    if (const char* value = std::getenv(name)) variables.push_back(fmt::format("{}={}", name, value));
  }
  return variables;
}

class Repository {
 public:
  Repository(io::Runtime& runtime, GitReference reference, std::string directory)
      : runtime_(runtime), reference_(std::move(reference)), directory_(std::move(directory)) {}

  Task<void> fetch() {
    co_await run({"init", "--quiet"});
    co_await run({"remote", "add", "origin", reference_.remote});
    const std::string ref = reference_.ref.empty() ? "HEAD" : reference_.ref;
    const Outcome shallow = co_await attempt({"fetch", "--quiet", "--depth=1", "--no-tags", "origin", ref});
    if (!shallow.failed) {
      co_await run({"checkout", "--quiet", "--detach", "FETCH_HEAD"});
    } else if (is_commit(ref)) {
      // Servers need not give a commit by its name: then everything is fetched.
      co_await run({"fetch", "--quiet", "origin", "+refs/*:refs/remotes/origin/*"});
      co_await run({"checkout", "--quiet", "--detach", ref});
    } else if (shallow.text.find("shallow") != std::string::npos) {
      co_await run({"fetch", "--quiet", "--no-tags", "origin", ref});
      co_await run({"checkout", "--quiet", "--detach", "FETCH_HEAD"});
    } else {
      throw failure("fetch", shallow.text);
    }
    co_await check();
    std::error_code error;
    if (!reference_.submodules || !std::filesystem::exists(directory_ + "/.gitmodules", error)) co_return;
    co_await run({"submodule", "--quiet", "update", "--init", "--recursive", "--depth=1"});
  }

  Task<std::int64_t> commit_time() {
    const std::string text = co_await run({"show", "--no-patch", "--format=%ct", "HEAD"});
    std::int64_t seconds = 0;
    std::from_chars(text.data(), text.data() + text.size(), seconds);
    co_return seconds;
  }

 private:
  struct Outcome {
    bool failed = false;
    std::string text;  // what it printed; what it complained about if it failed
  };

  io::Error failure(const std::string& doing, const std::string& said) const {
    return io::Error(io::ErrorKind::context, fmt::format("{}: git {}: {}", reference_.remote, doing, said));
  }

  Task<Outcome> attempt(std::vector<std::string> arguments) {
    io::Command command;
    command.program = "git";
    command.arguments = {"-C", directory_};
    command.arguments.insert(command.arguments.end(), arguments.begin(), arguments.end());
    command.environment = git_environment();
    std::optional<io::Error> error;
    io::Output output;
    try {
      output = co_await io::run_and_collect(runtime_, std::move(command), 4U << 20U);
    } catch (...) {
      error = io::as_error(std::current_exception());
    }
    if (error && error->kind() == io::ErrorKind::cancelled) throw *error;
    if (error) throw error->add_context(fmt::format("{} needs the git program", reference_.remote));
    Outcome outcome;
    outcome.failed = !output.status.ok();
    outcome.text = outcome.failed ? output.err : output.out;
    while (outcome.text.ends_with('\n')) outcome.text.pop_back();
    if (outcome.failed && outcome.text.empty()) outcome.text = fmt::format("exit code {}", output.status.code);
    co_return outcome;
  }

  Task<std::string> run(std::vector<std::string> arguments) {
    const std::string doing = arguments.front();
    Outcome outcome = co_await attempt(std::move(arguments));
    if (outcome.failed) throw failure(doing, outcome.text);
    co_return std::move(outcome.text);
  }

  // The checksum names the commit, or the tag that points to it.
  Task<void> check() {
    if (reference_.checksum.empty()) co_return;
    const std::string commit = co_await run({"rev-parse", "HEAD"});
    const Outcome tag = co_await attempt({"rev-parse", "FETCH_HEAD"});
    if (commit.starts_with(reference_.checksum) || (!tag.failed && tag.text.starts_with(reference_.checksum))) co_return;
    throw io::Error(io::ErrorKind::integrity,
                    fmt::format("{}: expected checksum to match {}, got {}", reference_.remote, reference_.checksum, commit));
  }

  io::Runtime& runtime_;
  GitReference reference_;
  std::string directory_;
};

}  // namespace

Task<Tree> fetch_git_source(io::Runtime& runtime, GitReference reference, bool keep_git_dir, FileTime now, std::string directory) {
  std::error_code error;
  std::filesystem::create_directories(directory, error);
  if (error) throw io::Error(io::ErrorKind::filesystem, fmt::format("making '{}': {}", directory, error.message()));
  Repository repository(runtime, reference, directory);
  co_await repository.fetch();
  FileTime time = now;
  if (reference.commit_time) {
    const std::int64_t seconds = co_await repository.commit_time();
    time = {seconds, 0};
  }
  Context checkout(directory, IgnoreMatcher::from_patterns({keep_git_dir && reference.subdir.empty() ? "" : ".git"}),
                   "checkout of " + reference.remote);
  const Tree files = co_await checkout.scan(runtime, reference.subdir);
  const Node* root = files.find(reference.subdir);
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

}  // namespace kiln::engine
