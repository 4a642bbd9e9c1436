#include "engine/plan/resolve.hpp"

#include <algorithm>
#include <array>
#include <cctype>

#include <fmt/format.h>

#include "engine/dockerfile/expand.hpp"
#include "engine/dockerfile/history_text.hpp"
#include "engine/dockerfile/ports.hpp"
#include "engine/dockerfile/signals.hpp"
#include "engine/plan/path.hpp"
#include "io/base/error.hpp"

namespace kiln::engine {

namespace {

using dockerfile::Instruction;

constexpr std::array proxy_names = {"HTTP_PROXY", "HTTPS_PROXY", "FTP_PROXY", "NO_PROXY", "ALL_PROXY"};

std::string upper(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(), [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
  return text;
}

bool is_proxy_name(const std::string& name) {
  const std::string as_upper = upper(name);
  return std::find(proxy_names.begin(), proxy_names.end(), as_upper) != proxy_names.end();
}

// Goes through a stage's instructions with the state that each of them sees and changes.
class Resolver {
 public:
  Resolver(const Plan& plan, const PlannedStage& stage, const std::string& file_name, StageInput input)
      : plan_(plan), stage_(stage), file_name_(file_name), created_(std::move(input.created)) {
    result_.config = std::move(input.base);
    for (auto& [name, value] : input.inherited_args) set_arg(name, value);
  }

  ResolvedStage resolve() {
    prepare_config();
    const std::vector<std::string> triggers = std::exchange(result_.config.on_build, {});
    for (const auto& text : triggers) {
      const Instruction instruction = dockerfile::parse_trigger(text, plan_.file.escape);
      apply_at(instruction, fmt::format("ONBUILD trigger of the base image ({})", text));
    }
    for (const auto& instruction : stage_.text->instructions) {
      apply_at(instruction, fmt::format("{}:{}", file_name_, instruction.location.first_line));
    }
    for (const auto& name : arg_order_) {
      if (args_[name]) result_.args[name] = *args_[name];
    }
    return std::move(result_);
  }

 private:
  void prepare_config() {
    auto& config = result_.config;
    if (!config.env_value("PATH")) config.set_env("PATH", default_path);
    if (config.working_dir.empty()) config.working_dir = "/";
  }

  void apply_at(const Instruction& instruction, const std::string& where) {
    current_ = &instruction;
    try {
      std::visit([this](const auto& body) { apply(body); }, instruction.body);
    } catch (io::Error& error) {
      error.add_context(where);
      throw;
    }
  }

  // -- variables ---------------------------------------------------------------------------------------------------

  // The later of ENV and ARG wins, as in BuildKit's code.
  std::optional<std::string> lookup(std::string_view name) const {
    const auto arg = args_.find(std::string(name));
    if (arg != args_.end() && arg->second) return arg->second;
    if (const auto env = result_.config.env_value(name)) return std::string(*env);
    return std::nullopt;
  }

  dockerfile::Lookup lookups() const {
    return [this](std::string_view name) { return lookup(name); };
  }

  std::string expand(const std::string& word) const { return dockerfile::expand_word(word, lookups(), plan_.file.escape); }

  std::vector<std::string> expand_all(const std::vector<std::string>& words) const {
    std::vector<std::string> expanded;
    for (const auto& word : words) expanded.push_back(expand(word));
    return expanded;
  }

  void set_arg(const std::string& name, std::optional<std::string> value) {
    if (!args_.contains(name)) arg_order_.push_back(name);
    args_[name] = std::move(value);
  }

  // -- history -----------------------------------------------------------------------------------------------------

  std::size_t add_history(std::string created_by, bool empty_layer) {
    oci::History entry;
    entry.created = created_;
    entry.created_by = std::move(created_by);
    entry.comment = "buildkit.dockerfile.v0";
    entry.empty_layer = empty_layer;
    result_.config.history.push_back(std::move(entry));
    return result_.config.history.size() - 1;
  }

  void add_step(decltype(Step::action) action, std::string created_by) {
    Step step;
    step.action = std::move(action);
    step.text = current_->original.substr(0, current_->original.find('\n'));
    step.location = current_->location;
    step.history = add_history(std::move(created_by), false);
    result_.steps.push_back(std::move(step));
  }

  // -- instructions that run or change files -----------------------------------------------------------------------

  std::vector<std::string> shell() const {
    if (!result_.config.shell.empty()) return result_.config.shell;
    return {"/bin/sh", "-c"};
  }

  // Words of a command; heredocs that are not the whole command go to the shell with their bodies.
  std::vector<std::string> words_of(const dockerfile::CommandLine& command) const {
    if (command.exec_form) return command.words;
    std::vector<std::string> words = shell();
    std::string text = command.words.empty() ? std::string() : command.words.front();
    for (const auto& heredoc : command.heredocs) {
      if (!text.ends_with('\n')) text += '\n';
      text += heredoc.body + heredoc.name;
    }
    words.push_back(std::move(text));
    return words;
  }

  // `RUN <<EOF` and nothing else: the body itself is the script.
  static bool is_lone_heredoc(const dockerfile::CommandLine& command) {
    if (command.exec_form || command.heredocs.size() != 1 || command.words.empty()) return false;
    const std::string& text = command.words.front();
    return text.starts_with("<<") && text.find_first_of(" \t\n;&|") == std::string::npos;
  }

  void apply(const dockerfile::Run& run) {
    refuse_run_flags(run);
    RunStep step;
    if (is_lone_heredoc(run.command)) {
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

  void refuse_run_flags(const dockerfile::Run& run) const {
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

  static void set_variable(std::vector<std::string>& environment, const std::string& name, const std::string& value) {
    const std::string prefix = name + "=";
    for (auto& entry : environment) {
      if (entry.starts_with(prefix)) {
        entry = prefix + value;
        return;
      }
    }
    environment.push_back(prefix + value);
  }

  // Proxy arguments need no declaration and reach RUN under both spellings; they are in no history.
  void add_proxies(std::vector<std::string>& environment) const {
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

  void apply(const dockerfile::Copy& copy) {
    CopyStep step;
    step.is_add = copy.is_add;
    if (copy.from) step.from = resolve_from(plan_, stage_.index, *copy.from);
    step.sources = expand_all(copy.sources);
    for (const auto& heredoc : copy.heredocs) {
      const std::string body =
          heredoc.expand ? dockerfile::expand_heredoc(heredoc.body, lookups(), plan_.file.escape) : heredoc.body;
      step.heredocs.emplace_back(heredoc.name, body);
    }
    const std::string destination = expand(copy.destination);
    step.destination = absolute_path(result_.config.working_dir, destination);
    if (copy.chown) step.chown = expand(*copy.chown);
    if (copy.chmod) step.chmod = expand(*copy.chmod);
    step.excludes = copy.excludes;
    step.link = copy.link;
    step.parents = copy.parents;
    step.unpack = copy.unpack;
    if (copy.checksum) step.checksum = expand(*copy.checksum);
    dockerfile::CopyHistory said;
    said.is_add = copy.is_add;
    said.parents = copy.parents;
    said.chown = step.chown;
    said.chmod = step.chmod;
    said.sources = step.sources;
    for (const auto& heredoc : step.heredocs) said.sources.push_back("<<" + heredoc.first);
    said.destination = destination;
    add_step(std::move(step), dockerfile::history_of_copy(said));
  }

  void apply(const dockerfile::Workdir& workdir) {
    const std::string path = absolute_path(result_.config.working_dir, expand(workdir.path), false);
    result_.config.working_dir = path;
    if (path == "/") {
      add_history("WORKDIR /", true);
      return;
    }
    WorkdirStep step{path, result_.config.user};
    add_step(std::move(step), "WORKDIR " + path);
  }

  // -- instructions that change the config only --------------------------------------------------------------------

  std::vector<dockerfile::KeyValue> expand_pairs(const std::vector<dockerfile::KeyValue>& pairs) const {
    std::vector<dockerfile::KeyValue> expanded;
    for (const auto& pair : pairs) expanded.push_back({expand(pair.key), expand(pair.value.value_or(""))});
    return expanded;
  }

  void apply(const dockerfile::Env& env) {
    const auto pairs = expand_pairs(env.pairs);  // all with the values from before this line
    for (const auto& pair : pairs) {
      result_.config.set_env(pair.key, *pair.value);
      args_.erase(pair.key);
      std::erase(arg_order_, pair.key);
    }
    add_history(dockerfile::history_of_pairs("ENV", pairs), true);
  }

  void apply(const dockerfile::Label& label) {
    const auto pairs = expand_pairs(label.pairs);
    for (const auto& pair : pairs) result_.config.labels[pair.key] = *pair.value;
    add_history(dockerfile::history_of_pairs("LABEL", pairs), true);
  }

  void apply(const dockerfile::Arg& arg) {
    std::vector<dockerfile::KeyValue> said;
    for (const auto& pair : arg.pairs) {
      std::optional<std::string> value;
      const auto given = plan_.options.build_args.find(pair.key);
      const auto global = plan_.global_args.find(pair.key);
      if (given != plan_.options.build_args.end()) {
        value = given->second;
      } else if (pair.value) {
        value = expand(*pair.value);
      } else if (global != plan_.global_args.end()) {
        value = global->second;
      }
      if (value) set_arg(pair.key, value);
      said.push_back({pair.key, value});
    }
    add_history(dockerfile::history_of_pairs("ARG", said), true);
  }

  void apply(const dockerfile::User& user) {
    result_.config.user = expand(user.user);
    add_history("USER " + result_.config.user, true);
  }

  void apply(const dockerfile::Expose& expose) {
    std::vector<std::string> words;
    for (const auto& port : expose.ports) {
      for (auto& word : dockerfile::expand_words(port, lookups(), plan_.file.escape)) words.push_back(std::move(word));
    }
    const auto ports = dockerfile::parse_ports(words);
    result_.config.exposed_ports.insert(ports.begin(), ports.end());
    add_history(dockerfile::history_of_expose(ports), true);
  }

  void apply(const dockerfile::Volume& volume) {
    const auto paths = expand_all(volume.paths);
    for (const auto& path : paths) {
      if (path.empty()) throw io::Error(io::ErrorKind::dockerfile, "VOLUME specified can not be an empty string");
      result_.config.volumes.insert(path);
    }
    add_history(dockerfile::history_of_volume(paths), true);
  }

  void apply(const dockerfile::Cmd& cmd) {
    const auto words = words_of(cmd.command);
    result_.config.cmd = words;
    result_.config.args_escaped = true;
    command_set_ = true;
    add_history(dockerfile::history_of_command("CMD", words), true);
  }

  void apply(const dockerfile::Entrypoint& entrypoint) {
    const auto words = words_of(entrypoint.command);
    result_.config.entrypoint = words;
    if (!command_set_) result_.config.cmd.reset();
    add_history(dockerfile::history_of_command("ENTRYPOINT", words), true);
  }

  void apply(const dockerfile::Shell& shell_words) {
    result_.config.shell = shell_words.words;
    add_history(dockerfile::history_of_shell(shell_words.words), true);
  }

  void apply(const dockerfile::StopSignal& stop) {
    const std::string signal = expand(stop.signal);
    dockerfile::check_signal(signal);
    result_.config.stop_signal = signal;
    add_history("STOPSIGNAL " + signal, true);
  }

  void apply(const dockerfile::Maintainer& maintainer) {
    result_.config.author = maintainer.name;
    add_history("MAINTAINER " + maintainer.name, true);
  }

  void apply(const dockerfile::HealthcheckInstruction& check) {
    oci::Healthcheck health;
    if (check.none) {
      health.test = {"NONE"};
    } else if (check.command.exec_form) {
      health.test = {"CMD"};
      health.test.insert(health.test.end(), check.command.words.begin(), check.command.words.end());
    } else {
      health.test = {"CMD-SHELL", check.command.words.empty() ? std::string() : check.command.words.front()};
    }
    health.interval = check.interval;
    health.timeout = check.timeout;
    health.start_period = check.start_period;
    health.start_interval = check.start_interval;
    health.retries = check.retries;
    add_history(dockerfile::history_of_healthcheck(health.test, check), true);
    result_.config.healthcheck = std::move(health);
  }

  void apply(const dockerfile::OnBuild& trigger) { result_.config.on_build.push_back(trigger.instruction); }

  void apply(const dockerfile::From&) { throw io::Error(io::ErrorKind::internal, "FROM inside a stage"); }

  const Plan& plan_;
  const PlannedStage& stage_;
  const std::string& file_name_;
  std::string created_;
  ResolvedStage result_;
  const Instruction* current_ = nullptr;
  std::map<std::string, std::optional<std::string>> args_;
  std::vector<std::string> arg_order_;
  bool command_set_ = false;
};

}  // namespace

ResolvedStage resolve_stage(const Plan& plan, const PlannedStage& stage, const std::string& file_name, StageInput input) {
  return Resolver(plan, stage, file_name, std::move(input)).resolve();
}

oci::ImageConfig scratch_config(const oci::Platform& platform) {
  oci::ImageConfig config;
  config.platform = platform;
  config.working_dir = "/";
  config.set_env("PATH", default_path);
  return config;
}

}  // namespace kiln::engine
