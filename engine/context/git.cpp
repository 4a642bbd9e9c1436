#include "engine/context/git.hpp"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdlib>
#include <vector>

#include <fmt/format.h>

#include "engine/context/git_program.hpp"
#include "engine/dockerfile/text.hpp"
#include "io/base/error.hpp"
#include "io/http/url.hpp"
#include "io/http/wire.hpp"

namespace kiln::engine {

namespace {

using io::Task;

std::string variable(const char* name) {
  const char* value = std::getenv(name);
  return value ? value : "";
}

bool says_yes(const RemoteContext& context, const std::string& key) {
  const auto option = context.git_options.find(key);
  return option != context.git_options.end() && dockerfile::parse_boolean(option->second).value_or(false);
}

std::vector<std::string> git_environment(const RemoteContext& context) {
  std::vector<std::string> variables;
  for (char** entry = environ; *entry; ++entry) variables.emplace_back(*entry);
  if (says_yes(context, "insecure-skip-tls")) variables.emplace_back("GIT_SSL_NO_VERIFY=1");
  return variables;
}

GitLogin login_for(const GitPlace& place, const RemoteContext& context) {
  GitLogin login{context.authorization, context.ssh_agent, {}};
  if (login.authorization.empty() && !place.login.empty()) login.authorization = io::http::basic_login(place.login);
  return login;
}

// A server that cannot give less than everything gives everything.
Task<void> fetch_ref(const GitProgram& git, std::string url, std::string ref, std::vector<std::string> depth) {
  std::vector<std::string> arguments = {"fetch", "--quiet"};
  arguments.insert(arguments.end(), depth.begin(), depth.end());
  arguments.insert(arguments.end(), {"--", url, ref});
  const GitProgram::Outcome outcome = co_await git.attempt(std::move(arguments));
  if (!outcome.failed) co_return;
  const bool too_deep = !depth.empty() && outcome.text.find("shallow") != std::string::npos;
  if (!too_deep) throw git.failure("fetch", outcome.text);
  co_await git.run({"fetch", "--quiet", "--", url, ref});
}

// Servers need not give a commit by its name: then everything is fetched and it is looked for.
Task<void> fetch_commit(const GitProgram& git, std::string url, std::string commit, std::vector<std::string> depth) {
  std::vector<std::string> arguments = {"fetch", "--quiet", "--no-tags"};
  arguments.insert(arguments.end(), depth.begin(), depth.end());
  arguments.insert(arguments.end(), {"--", url, commit});
  const GitProgram::Outcome outcome = co_await git.attempt(std::move(arguments));
  if (outcome.failed) co_await git.run({"fetch", "--quiet", "--", url, "+refs/*:refs/remotes/origin/*"});
  co_await git.run({"checkout", "--quiet", "--detach", commit});
}

}  // namespace

namespace {

// By http or https, with the login that the URL or the environment has.
void read_web_place(std::string url, GitPlace& place) {
  if (url.starts_with("git://")) {
    const std::string method = variable("GIT_PULL_METHOD");
    if (!method.empty() && method != "https" && method != "http") {
      throw io::Error(io::ErrorKind::usage, fmt::format("GIT_PULL_METHOD={}: it is https or http", method));
    }
    url = (method.empty() ? "https" : method) + url.substr(3);
  }
  const io::http::Url parsed = io::http::parse_url(url);
  place.url = parsed.text();
  place.login = io::http::percent_decode(parsed.user_info);
  if (!place.login.empty() && place.login.find(':') == std::string::npos) place.login += ":";
  if (const std::string token = variable("GIT_TOKEN"); !token.empty()) {
    place.login = token + ":";
  } else if (const std::string user = variable("GIT_USERNAME"); !user.empty()) {
    place.login = user + ":" + variable("GIT_PASSWORD");
  }
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
  if (is_ssh(rest)) {
    place.url = rest;
  } else {
    read_web_place(std::move(rest), place);
  }
  for (const auto& name : {place.url, place.ref, place.commit}) {
    if (name.starts_with('-')) throw io::Error(io::ErrorKind::usage, fmt::format("context {}: '{}' is no ref", context, name));
  }
  return place;
}

void check_git_option(const std::string& key, const std::string& value) {
  constexpr auto booleans = std::to_array<std::string_view>({"single-branch", "recurse-submodules", "insecure-skip-tls"});
  if (std::find(booleans.begin(), booleans.end(), key) != booleans.end()) {
    if (dockerfile::parse_boolean(value)) return;
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

Task<std::int64_t> fetch_git(io::Runtime& runtime, const RemoteContext& context, std::string directory) {
  GitPlace place = parse_git_context(context.url);
  if (const auto branch = context.git_options.find("branch"); branch != context.git_options.end()) place.ref = branch->second;
  const GitProgram git(runtime, directory, git_environment(context), place.url, login_for(place, context),
                       fmt::format("context {}{}", place.url, place.ref.empty() ? "" : "#" + place.ref));
  const auto option = context.git_options.find("depth");
  const std::string depth = option == context.git_options.end() ? "1" : option->second;
  std::vector<std::string> shallow;
  if (depth != "0") shallow = {"--depth", depth};
  co_await git.run({"init", "--quiet"});
  co_await git.run({"remote", "add", "origin", place.url});
  if (is_git_commit(place.ref)) {
    co_await fetch_commit(git, place.url, place.ref, shallow);
  } else {
    // A commit that is named besides the ref may be any of its ancestors.
    co_await fetch_ref(git, place.url, place.ref.empty() ? "HEAD" : place.ref,
                       place.commit.empty() ? shallow : std::vector<std::string>());
    co_await git.run({"checkout", "--quiet", "--detach", place.commit.empty() ? "FETCH_HEAD" : place.commit});
  }
  if (says_yes(context, "recurse-submodules")) co_await git.update_submodules(shallow);
  const std::int64_t time = co_await git.commit_time();
  co_return time;
}

}  // namespace kiln::engine
