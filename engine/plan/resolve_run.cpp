#include <algorithm>
#include <array>
#include <cctype>

#include <fmt/format.h>

#include "engine/dockerfile/history_text.hpp"
#include "engine/plan/stage_resolver.hpp"
#include "io/base/error.hpp"

namespace kiln::engine {

namespace {

constexpr std::array proxy_names = {"HTTP_PROXY", "HTTPS_PROXY", "FTP_PROXY", "NO_PROXY", "ALL_PROXY"};

std::string upper(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(), [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
  return text;
}

bool is_proxy_name(const std::string& name) {
  const std::string as_upper = upper(name);
  return std::find(proxy_names.begin(), proxy_names.end(), as_upper) != proxy_names.end();
}

void refuse_run_flags(const dockerfile::Run& run) {
  if (!run.mounts.empty()) {
    throw io::Error(io::ErrorKind::unsupported, fmt::format("RUN --mount={} is not supported yet", run.mounts.front().text));
  }
  if (run.network && *run.network != "default" && *run.network != "none" && *run.network != "host") {
    throw io::Error(io::ErrorKind::dockerfile, fmt::format("invalid network mode: {}", *run.network));
  }
  if (run.security && *run.security != "sandbox") {
    throw io::Error(io::ErrorKind::unsupported, fmt::format("RUN --security={} cannot be honoured here", *run.security));
  }
  if (!run.devices.empty()) {
    throw io::Error(io::ErrorKind::unsupported, fmt::format("RUN --device={} cannot be honoured here", run.devices.front()));
  }
}

void set_variable(std::vector<std::string>& environment, const std::string& name, const std::string& value) {
  const std::string prefix = name + "=";
  for (auto& entry : environment) {
    if (entry.starts_with(prefix)) {
      entry = prefix + value;
      return;
    }
  }
  environment.push_back(prefix + value);
}

}  // namespace

std::vector<std::string> StageResolver::shell() const {
  if (!result_.config.shell.empty()) return result_.config.shell;
  return {"/bin/sh", "-c"};
}

// Words of a command; heredocs that are not the whole command go to the shell with their bodies.
std::vector<std::string> StageResolver::words_of(const dockerfile::CommandLine& command) const {
  if (command.exec_form) return command.words;
  std::vector<std::string> words = shell();
  std::string text = command.words.empty() ? std::string() : command.words.front();
  for (const auto& heredoc : command.heredocs) {
    if (!text.ends_with('\n')) text += '\n';
    text += heredoc.raw + heredoc.name;
  }
  words.push_back(std::move(text));
  return words;
}

void StageResolver::apply(const dockerfile::Run& run) {
  refuse_run_flags(run);
  RunStep step;
  if (run.command.script) {
    if (run.command.heredocs.front().body.starts_with("#!")) {
      throw io::Error(io::ErrorKind::unsupported, "RUN with a heredoc that starts with #! is not supported yet");
    }
    step.arguments = shell();
    step.arguments.push_back(run.command.heredocs.front().body);
  } else {
    step.arguments = words_of(run.command);
  }
  step.user = result_.config.user;
  step.working_directory = result_.config.working_dir;
  step.no_network = run.network == "none";
  std::vector<std::string> args_in_force;
  step.environment = result_.config.env;
  for (const auto& name : arg_order_) {
    if (!args_[name]) continue;
    args_in_force.push_back(name + "=" + *args_[name]);
    set_variable(step.environment, name, *args_[name]);
  }
  add_proxies(step.environment);
  const std::vector<std::string> said = step.arguments;
  result_.runs = true;
  add_step(std::move(step), dockerfile::history_of_run(args_in_force, said));
}

// Proxy arguments need no declaration and reach RUN under both spellings; they are in no history.
void StageResolver::add_proxies(std::vector<std::string>& environment) const {
  for (const auto& [name, value] : plan_.options.build_args) {
    if (!is_proxy_name(name) || args_.contains(name)) continue;
    std::string as_lower = upper(name);
    for (char& c : as_lower) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    for (const auto& spelling : {upper(name), as_lower}) {
      const bool named = std::any_of(environment.begin(), environment.end(),
                                     [&](const std::string& entry) { return entry.starts_with(spelling + "="); });
      if (!named) environment.push_back(spelling + "=" + value);
    }
  }
}

}  // namespace kiln::engine
