#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "engine/dockerfile/history_text.hpp"
#include "engine/dockerfile/text.hpp"
#include "engine/dockerfile/words.hpp"
#include "engine/plan/stage_resolver.hpp"
#include "io/base/error.hpp"

namespace kiln::engine {

namespace {

constexpr std::array proxy_names = {"HTTP_PROXY", "HTTPS_PROXY", "FTP_PROXY", "NO_PROXY", "ALL_PROXY"};

bool is_proxy_name(const std::string& name) {
  const std::string as_upper = dockerfile::upper(name);
  return std::find(proxy_names.begin(), proxy_names.end(), as_upper) != proxy_names.end();
}

void refuse_run_flags(const dockerfile::Run& run) {
  if (run.network && *run.network != "default" && *run.network != "none" && *run.network != "host") {
    throw dockerfile::WordError(fmt::format("invalid network mode: {}", *run.network), *run.network);
  }
  if (run.security == "insecure") {
    throw io::Error(io::ErrorKind::unsupported,
                    "RUN --security=insecure cannot be honoured: a build in a pod has no privileges to give to a command");
  }
  if (run.security && *run.security != "sandbox") {
    throw dockerfile::WordError(fmt::format("security mode \"{}\" is not valid", *run.security), *run.security);
  }
  if (!run.devices.empty()) {
    throw io::Error(
        io::ErrorKind::unsupported,
        fmt::format("RUN --device={} cannot be honoured: kiln has no devices to give to a command", run.devices.front()));
  }
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

std::vector<RunMount> StageResolver::mounts_of(const dockerfile::Run& run) const {
  std::vector<Mount> mounts;
  for (const auto& text : run.mounts) {
    try {
      mounts.push_back(parse_mount(text, [this](const std::string& word) { return expand(word); }));
    } catch (const io::Error& error) {
      throw dockerfile::WordError(error.message(), text);
    }
  }
  place_mounts(mounts, directory());
  std::vector<RunMount> resolved;
  for (auto& mount : mounts) {
    const std::string from = mount_from(mount.text);
    RunMount placed{std::move(mount), std::nullopt};
    if (from == "scratch") {
      placed.from = Source();
    } else if (!from.empty()) {
      placed.from = resolve_from(plan_, stage_.index, from);
    }
    resolved.push_back(std::move(placed));
  }
  return resolved;
}

void StageResolver::apply(const dockerfile::Run& run) {
  refuse_run_flags(run);
  RunStep step;
  if (run.command.script) {
    const dockerfile::Heredoc& heredoc = run.command.heredocs.front();
    step.arguments = shell();
    if (heredoc.body.starts_with("#!")) {
      step.script = heredoc.body;
      step.script_path = "/dev/pipes/" + heredoc.name;
      step.arguments.push_back(step.script_path);
    } else {
      step.arguments.push_back(heredoc.body);
    }
  } else {
    step.arguments = words_of(run.command);
  }
  step.user = result_.config.user;
  step.working_directory = directory();
  step.no_network = run.network == "none";
  step.mounts = mounts_of(run);
  step.environment = run_environment();
  add_proxies(step);
  const std::vector<std::string> said = step.arguments;
  result_.runs = true;
  add_step(std::move(step), dockerfile::history_of_run(args_for_history(), said));
}

// Proxy arguments need no declaration and reach RUN under both spellings; they are in no history.
void StageResolver::add_proxies(RunStep& step) const {
  for (const auto& [name, value] : plan_.options.build_args) {
    if (!is_proxy_name(name) || declared(name)) continue;
    for (const auto& spelling : {dockerfile::upper(name), dockerfile::lower(name)}) {
      const auto is_named = [&](const std::string& entry) { return entry.starts_with(spelling + "="); };
      if (std::ranges::none_of(step.environment, is_named) && std::ranges::none_of(step.proxies, is_named)) {
        step.proxies.push_back(spelling + "=" + value);
      }
    }
  }
}

}  // namespace kiln::engine
