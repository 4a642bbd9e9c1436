#include "engine/context/git.hpp"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <cstdlib>
#include <vector>

#include <fmt/format.h>

#include "io/base/error.hpp"
#include "io/http/url.hpp"
#include "io/http/wire.hpp"
#include "io/process/child.hpp"

namespace kiln::engine {

namespace {

using io::Task;

std::string variable(const char* name) {
  const char* value = std::getenv(name);
  return value ? value : "";
}

bool is_commit(const std::string& text) {
  return (text.size() == 40 || text.size() == 64) &&
         std::all_of(text.begin(), text.end(), [](unsigned char c) { return std::isxdigit(c) != 0; });
}

bool says_yes(const RemoteContext& context, const std::string& key) {
  const auto option = context.git_options.find(key);
  return option != context.git_options.end() && option->second == "true";
}

// The environment of git: ours, no questions, and the login as configuration, which no process list shows.
std::vector<std::string> git_environment(const GitPlace& place, bool skip_tls) {
  std::vector<std::string> variables;
  for (char** entry = environ; *entry; ++entry) variables.emplace_back(*entry);
  variables.emplace_back("GIT_TERMINAL_PROMPT=0");
  variables.emplace_back("GIT_CONFIG_NOSYSTEM=1");
  if (skip_tls) variables.emplace_back("GIT_SSL_NO_VERIFY=1");
  if (!place.login.empty()) {
    variables.emplace_back("GIT_CONFIG_COUNT=1");
    variables.emplace_back(fmt::format("GIT_CONFIG_KEY_0=http.{}.extraHeader", place.url));
    variables.emplace_back("GIT_CONFIG_VALUE_0=Authorization: " + io::http::basic_login(place.login));
  }
  return variables;
}

struct Git {
  io::Runtime& runtime;
  std::string directory;
  std::vector<std::string> environment;
  std::string context;  // for messages
};

// Gives what git said when it failed; empty: it did not.
Task<std::string> try_git(const Git& git, std::vector<std::string> arguments) {
  io::Command command;
  command.program = "git";
  command.arguments = {"-C", git.directory};
  command.arguments.insert(command.arguments.end(), arguments.begin(), arguments.end());
  command.environment = git.environment;
  std::optional<io::Error> failure;
  io::Output output;
  try {
    output = co_await io::run_and_collect(git.runtime, std::move(command), 4U << 20U);
  } catch (const io::Error& error) {
    failure = error;
  }
  if (failure && failure->kind() == io::ErrorKind::cancelled) throw *failure;
  if (failure) throw failure->add_context(fmt::format("context {} needs the git program", git.context));
  if (output.status.ok()) co_return "";
  std::string said = output.err;
  while (said.ends_with('\n')) said.pop_back();
  co_return said.empty() ? fmt::format("exit code {}", output.status.code) : said;
}

Task<void> run_git(const Git& git, std::vector<std::string> arguments) {
  const std::string doing = arguments.front();
  const std::string said = co_await try_git(git, std::move(arguments));
  if (!said.empty()) throw io::Error(io::ErrorKind::context, fmt::format("context {}: git {}: {}", git.context, doing, said));
}

// A server that cannot give less than everything gives everything.
Task<void> fetch_ref(const Git& git, std::string url, std::string ref, std::vector<std::string> depth) {
  std::vector<std::string> arguments = {"fetch", "--quiet"};
  arguments.insert(arguments.end(), depth.begin(), depth.end());
  arguments.insert(arguments.end(), {"--", url, ref});
  const std::string said = co_await try_git(git, std::move(arguments));
  if (said.empty()) co_return;
  const bool too_deep = !depth.empty() && said.find("shallow") != std::string::npos;
  if (!too_deep) throw io::Error(io::ErrorKind::context, fmt::format("context {}: git fetch: {}", git.context, said));
  co_await run_git(git, {"fetch", "--quiet", "--", url, ref});
}

// Servers need not give a commit by its name: then everything is fetched and it is looked for.
Task<void> fetch_commit(const Git& git, std::string url, std::string commit, std::vector<std::string> depth) {
  std::vector<std::string> arguments = {"fetch", "--quiet", "--no-tags"};
  arguments.insert(arguments.end(), depth.begin(), depth.end());
  arguments.insert(arguments.end(), {"--", url, commit});
  const std::string refused = co_await try_git(git, std::move(arguments));
  if (!refused.empty()) co_await run_git(git, {"fetch", "--quiet", "--", url, "+refs/*:refs/remotes/origin/*"});
  co_await run_git(git, {"checkout", "--quiet", "--detach", commit});
}

}  // namespace

GitPlace parse_git_context(const std::string& context) {
  GitPlace place;
  std::string rest = context;
  if (const auto hash = rest.find('#'); hash != std::string::npos) {
    place.ref = rest.substr(hash + 1);
    rest.resize(hash);
    if (const auto second = place.ref.find('#'); second != std::string::npos) {
      place.commit = place.ref.substr(second + 1);
      place.ref.resize(second);
    }
  }
  if (rest.starts_with("git://")) {
    const std::string method = variable("GIT_PULL_METHOD");
    if (!method.empty() && method != "https" && method != "http") {
      throw io::Error(io::ErrorKind::usage, fmt::format("GIT_PULL_METHOD={}: it is https or http", method));
    }
    rest = (method.empty() ? "https" : method) + rest.substr(3);
  }
  const io::http::Url url = io::http::parse_url(rest);
  place.url = url.text();
  place.login = io::http::percent_decode(url.user_info);
  if (!place.login.empty() && place.login.find(':') == std::string::npos) place.login += ":";
  if (const std::string token = variable("GIT_TOKEN"); !token.empty()) {
    place.login = token + ":";
  } else if (const std::string user = variable("GIT_USERNAME"); !user.empty()) {
    place.login = user + ":" + variable("GIT_PASSWORD");
  }
  for (const auto& name : {place.ref, place.commit}) {
    if (name.starts_with('-')) throw io::Error(io::ErrorKind::usage, fmt::format("context {}: '{}' is no ref", context, name));
  }
  return place;
}

void check_git_option(const std::string& key, const std::string& value) {
  constexpr auto booleans = std::to_array<std::string_view>({"single-branch", "recurse-submodules", "insecure-skip-tls"});
  if (std::find(booleans.begin(), booleans.end(), key) != booleans.end()) {
    if (value == "true" || value == "false") return;
    throw io::Error(io::ErrorKind::usage, fmt::format("--git={}={}: it is true or false", key, value));
  }
  unsigned depth = 0;
  const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), depth);
  const bool number = error == std::errc() && end == value.data() + value.size();
  if ((key == "depth" && number) || (key == "branch" && !value.empty() && !value.starts_with('-'))) return;
  throw io::Error(io::ErrorKind::usage, fmt::format("--git={}={}: it is branch=NAME, depth=N, single-branch, recurse-submodules or "
                                                    "insecure-skip-tls=true",
                                                    key, value));
}

Task<void> fetch_git(io::Runtime& runtime, const RemoteContext& context, std::string directory) {
  GitPlace place = parse_git_context(context.url);
  if (const auto branch = context.git_options.find("branch"); branch != context.git_options.end()) place.ref = branch->second;
  const Git git{runtime, directory, git_environment(place, says_yes(context, "insecure-skip-tls")),
                place.url + (place.ref.empty() ? "" : "#" + place.ref)};
  const auto option = context.git_options.find("depth");
  const std::string depth = option == context.git_options.end() ? "1" : option->second;
  std::vector<std::string> shallow;
  if (depth != "0") shallow = {"--depth", depth};
  co_await run_git(git, {"init", "--quiet"});
  co_await run_git(git, {"remote", "add", "origin", place.url});
  if (is_commit(place.ref)) {
    co_await fetch_commit(git, place.url, place.ref, shallow);
  } else {
    // A commit that is named besides the ref may be any of its ancestors.
    co_await fetch_ref(git, place.url, place.ref.empty() ? "HEAD" : place.ref,
                       place.commit.empty() ? shallow : std::vector<std::string>());
    co_await run_git(git, {"checkout", "--quiet", "--detach", place.commit.empty() ? "FETCH_HEAD" : place.commit});
  }
  if (says_yes(context, "recurse-submodules")) {
    std::vector<std::string> arguments = {"submodule", "--quiet", "update", "--init", "--recursive"};
    arguments.insert(arguments.end(), shallow.begin(), shallow.end());
    co_await run_git(git, std::move(arguments));
  }
}

}  // namespace kiln::engine
