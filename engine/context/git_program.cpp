#include "engine/context/git_program.hpp"

#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <charconv>
#include <cstdlib>
#include <filesystem>
#include <optional>

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "io/http/url.hpp"
#include "io/process/child.hpp"

namespace kiln::engine {

namespace {

using io::Task;

// PROGRAM-DIRECTORY/git has the git program and its parts (tools/image/install.cmake.in).
std::string bundled_git() {
  std::error_code ignored;
  std::string directory = std::filesystem::read_symlink("/proc/self/exe", ignored).parent_path() / "git";
  if (access((directory + "/git").c_str(), X_OK) != 0) directory.clear();
  return directory;
}

// git knows SSL_CERT_FILE and SSL_CERT_DIR by other names.
void add_certificates(std::vector<std::string>& environment, const std::string& bundled) {
  const char* file = std::getenv("SSL_CERT_FILE");
  const char* directories = std::getenv("SSL_CERT_DIR");
  if (!std::getenv("GIT_SSL_CAINFO")) {
    if (file) {
      environment.push_back(fmt::format("GIT_SSL_CAINFO={}", file));
    } else if (!bundled.empty()) {
      environment.push_back(fmt::format("GIT_SSL_CAINFO={}/../ssl/certs/ca-certificates.crt", bundled));
    }
  }
  if (directories && !std::getenv("GIT_SSL_CAPATH")) {
    const std::string_view all = directories;
    environment.push_back(fmt::format("GIT_SSL_CAPATH={}", all.substr(0, all.find(':'))));
  }
}

// Has git send this header to the server of `url` (http or https), where submodules may be, too. As configuration in the
// environment: no process list shows it.
void add_authorization(std::vector<std::string>& environment, const std::string& url, const std::string& authorization) {
  const io::http::Url server = io::http::parse_url(url);
  environment.emplace_back("GIT_CONFIG_COUNT=1");
  environment.push_back(fmt::format("GIT_CONFIG_KEY_0=http.{}://{}/.extraHeader", server.scheme, server.authority()));
  environment.push_back("GIT_CONFIG_VALUE_0=Authorization: " + authorization);
}

void set_variable(std::vector<std::string>& environment, const std::string& name, const std::string& value) {
  std::erase_if(environment, [&](const std::string& entry) { return entry.starts_with(name + "="); });
  environment.push_back(name + "=" + value);
}

bool has_variable(const std::vector<std::string>& environment, const std::string& name) {
  return std::any_of(environment.begin(), environment.end(), [&](const auto& entry) { return entry.starts_with(name + "="); });
}

}  // namespace

bool is_scp_form(std::string_view text) {
  const auto at = text.find('@');
  const auto colon = text.find(':');
  if (at == std::string_view::npos || colon == std::string_view::npos || at == 0 || colon < at + 2) return false;
  const auto plain = [](std::string_view part, std::string_view more) {
    return std::all_of(part.begin(), part.end(), [&](unsigned char c) {
      return std::isalnum(c) != 0 || more.find(static_cast<char>(c)) != std::string_view::npos;
    });
  };
  return plain(text.substr(0, at), "-_") && plain(text.substr(at + 1, colon - at - 1), "-.") &&
         !text.substr(colon).starts_with("://");
}

bool is_ssh(std::string_view remote) { return remote.starts_with("ssh://") || is_scp_form(remote); }

bool is_git_commit(const std::string& text) {
  return (text.size() == 40 || text.size() == 64) &&
         std::all_of(text.begin(), text.end(), [](unsigned char c) { return std::isxdigit(c) != 0; });
}

GitProgram::GitProgram(io::Runtime& runtime, std::string directory, std::vector<std::string> environment, const std::string& remote,
                       const GitLogin& login, std::string what)
    : runtime_(runtime),
      directory_(std::move(directory)),
      environment_(std::move(environment)),
      what_(std::move(what)),
      bundled_(bundled_git()) {
  environment_.emplace_back("GIT_TERMINAL_PROMPT=0");
  environment_.emplace_back("GIT_CONFIG_NOSYSTEM=1");
  add_certificates(environment_, bundled_);
  if (!login.authorization.empty()) add_authorization(environment_, remote, login.authorization);
  if (!login.agent.empty()) set_variable(environment_, "SSH_AUTH_SOCK", login.agent);
  if (bundled_.empty()) return;
  environment_.push_back("GIT_EXEC_PATH=" + bundled_);
  environment_.emplace_back("GIT_TEMPLATE_DIR=");
  set_up_ssh(login, is_ssh(remote));
}

// As BuildKit does, a host is taken at its word where nothing says which key it has; a configuration of the user's own is left to
// say what it wants. Submodules may be there by ssh, too.
void GitProgram::set_up_ssh(const GitLogin& login, bool warn) {
  if (has_variable(environment_, "GIT_SSH_COMMAND") || has_variable(environment_, "GIT_SSH")) return;
  const char* variable = std::getenv("HOME");
  const std::string home = !login.home.empty() ? login.home : variable ? variable : "/root";
  set_variable(environment_, "HOME", home);
  environment_.push_back("GIT_SSH=" + bundled_ + "/ssh");
  environment_.emplace_back("GIT_SSH_VARIANT=ssh");
  environment_.emplace_back("OPENSSL_CONF=/dev/null");
  for (const char* name : {"known_hosts", "known_hosts2", "config"}) {
    if (access(fmt::format("{}/.ssh/{}", home, name).c_str(), R_OK) == 0) return;
  }
  environment_.push_back(fmt::format("{}=1", ssh_trust_variable));
  if (!warn) return;
  spdlog::warn("{}: whatever key the host shows is trusted: there is no ~/.ssh/known_hosts (ssh-keyscan HOST writes one)", what_);
}

io::Error GitProgram::failure(const std::string& doing, const std::string& said) const {
  std::string advice;
  if (said.find("Host key verification failed") != std::string::npos) {
    advice = "\n(~/.ssh/known_hosts has not this host's key, or another one; ssh-keyscan HOST tells what it is)";
  } else if (said.find("Permission denied (publickey") != std::string::npos) {
    advice = "\n(no key that the server takes: give an agent with --ssh default=SOCKET, or mount a key at ~/.ssh, mode 0400)";
  }
  return io::Error(io::ErrorKind::context, fmt::format("{}: git {}: {}{}", what_, doing, said, advice));
}

Task<GitProgram::Outcome> GitProgram::attempt(std::vector<std::string> arguments) const {
  io::Command command;
  command.program = bundled_.empty() ? "git" : bundled_ + "/git";
  command.arguments = {"-C", directory_};
  command.arguments.insert(command.arguments.end(), arguments.begin(), arguments.end());
  command.environment = environment_;
  std::optional<io::Error> error;
  io::Output output;
  try {
    output = co_await io::run_and_collect(runtime_, std::move(command), 4U << 20U);
  } catch (...) {
    error = io::as_error(std::current_exception());
  }
  if (error && error->kind() == io::ErrorKind::cancelled) throw *error;
  if (error) throw error->add_context(fmt::format("{} needs the git program", what_));
  Outcome outcome;
  outcome.failed = !output.status.ok();
  outcome.text = outcome.failed ? output.err : output.out;
  while (outcome.text.ends_with('\n')) outcome.text.pop_back();
  if (outcome.failed && outcome.text.empty()) outcome.text = fmt::format("exit code {}", output.status.code);
  co_return outcome;
}

Task<std::string> GitProgram::run(std::vector<std::string> arguments) const {
  const std::string doing = arguments.front();
  Outcome outcome = co_await attempt(std::move(arguments));
  if (outcome.failed) throw failure(doing, outcome.text);
  co_return std::move(outcome.text);
}

// `git submodule` is a shell script in front of this, and the image has no shell.
Task<void> GitProgram::update_submodules(std::vector<std::string> depth) const {
  std::error_code ignored;
  if (!std::filesystem::exists(directory_ + "/.gitmodules", ignored)) co_return;
  std::vector<std::string> arguments = {"submodule", "--quiet", "update"};
  if (!bundled_.empty()) arguments = {"submodule--helper", "update", "--quiet"};
  arguments.insert(arguments.end(), {"--init", "--recursive"});
  arguments.insert(arguments.end(), depth.begin(), depth.end());
  co_await run(std::move(arguments));
}

Task<std::int64_t> GitProgram::commit_time() const {
  const std::string text = co_await run({"rev-list", "--max-count=1", "--no-commit-header", "--format=%ct", "HEAD"});
  std::int64_t seconds = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), seconds);
  if (error != std::errc() || end != text.data() + text.size()) throw failure("rev-list", text);
  co_return seconds;
}

}  // namespace kiln::engine
