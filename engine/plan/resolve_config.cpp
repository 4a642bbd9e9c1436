#include "engine/dockerfile/history_text.hpp"
#include "engine/dockerfile/ports.hpp"
#include "engine/dockerfile/signals.hpp"
#include "engine/plan/stage_resolver.hpp"
#include "io/base/error.hpp"

namespace kiln::engine {

void StageResolver::apply(const dockerfile::Env& env) {
  const auto pairs = expand_pairs(env.pairs);  // all with the values from before this line
  for (const auto& pair : pairs) {
    result_.config.set_env(pair.key, *pair.value);
    visible_args_.erase(pair.key);
  }
  add_history(dockerfile::history_of_pairs("ENV", pairs), true);
}

void StageResolver::apply(const dockerfile::Label& label) {
  const auto pairs = expand_pairs(label.pairs);
  for (const auto& pair : pairs) result_.config.labels[pair.key] = *pair.value;
  add_history(dockerfile::history_of_pairs("LABEL", pairs), true);
}

void StageResolver::apply(const dockerfile::Arg& arg) {
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
    set_arg(pair.key, value);
    said.push_back({pair.key, value});
  }
  add_history(dockerfile::history_of_pairs("ARG", said), true);
}

void StageResolver::apply(const dockerfile::User& user) {
  result_.config.user = expand(user.user);
  add_history("USER " + result_.config.user, true);
}

void StageResolver::apply(const dockerfile::Expose& expose) {
  std::vector<std::string> words;
  for (const auto& port : expose.ports) {
    for (auto& word : dockerfile::expand_words(port, lookups(), plan_.file.escape)) words.push_back(std::move(word));
  }
  const auto ports = dockerfile::parse_ports(words);
  result_.config.exposed_ports.insert(ports.begin(), ports.end());
  add_history(dockerfile::history_of_expose(ports), true);
}

void StageResolver::apply(const dockerfile::Volume& volume) {
  const auto paths = expand_all(volume.paths);
  for (const auto& path : paths) {
    if (path.empty()) throw io::Error(io::ErrorKind::dockerfile, "VOLUME specified can not be an empty string");
    result_.config.volumes.insert(path);
  }
  add_history(dockerfile::history_of_volume(paths), true);
}

void StageResolver::apply(const dockerfile::Cmd& cmd) {
  const auto words = words_of(cmd.command);
  result_.config.cmd = words;
  result_.config.args_escaped = true;
  command_set_ = true;
  add_history(dockerfile::history_of_command("CMD", words), true);
}

void StageResolver::apply(const dockerfile::Entrypoint& entrypoint) {
  const auto words = words_of(entrypoint.command);
  result_.config.entrypoint = words;
  if (!command_set_) result_.config.cmd.reset();
  add_history(dockerfile::history_of_command("ENTRYPOINT", words), true);
}

void StageResolver::apply(const dockerfile::Shell& shell_words) {
  result_.config.shell = shell_words.words;
  add_history(dockerfile::history_of_shell(shell_words.words), true);
}

void StageResolver::apply(const dockerfile::StopSignal& stop) {
  const std::string signal = expand(stop.signal);
  dockerfile::check_signal(signal);
  result_.config.stop_signal = signal;
  add_history("STOPSIGNAL " + signal, true);
}

void StageResolver::apply(const dockerfile::Maintainer& maintainer) {
  result_.config.author = maintainer.name;
  add_history("MAINTAINER " + maintainer.name, true);
}

void StageResolver::apply(const dockerfile::HealthcheckInstruction& check) {
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

void StageResolver::apply(const dockerfile::OnBuild& trigger) { result_.config.on_build.push_back(trigger.instruction); }

void StageResolver::apply(const dockerfile::From&) {
  throw io::Error(io::ErrorKind::dockerfile, "FROM isn't allowed as an ONBUILD trigger");
}

}  // namespace kiln::engine
