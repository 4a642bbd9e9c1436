#include "tests/engine/dockerfile/dump.hpp"

#include <fmt/format.h>

#include "engine/dockerfile/csv.hpp"
#include "engine/dockerfile/durations.hpp"
#include "engine/dockerfile/text.hpp"

namespace kiln::engine::dockerfile {

namespace {

std::string list(const std::vector<std::string>& words) {
  std::string text;
  for (const auto& word : words) text += (text.empty() ? "" : " ") + go_quoted(word);
  return text;
}

std::string heredocs(const std::vector<Heredoc>& all) {
  std::string text;
  for (const auto& heredoc : all) {
    const std::string descriptor = heredoc.file_descriptor == 0 ? "" : fmt::format("{}", heredoc.file_descriptor);
    text += fmt::format(" {}<<{}{}{}={}", descriptor, heredoc.strip_tabs ? "-" : "", heredoc.expand ? "" : "!", heredoc.name,
                        go_quoted(heredoc.body));
  }
  return text;
}

std::string command(const CommandLine& line) {
  const std::string words = line.exec_form ? "[" + list(line.words) + "]" : list(line.words);
  return words + heredocs(line.heredocs) + (line.script ? " script" : "");
}

std::string pairs(const std::vector<KeyValue>& all) {
  std::string text;
  for (const auto& pair : all) {
    text += (text.empty() ? "" : " ") + pair.key + (pair.legacy ? "~" : "") + (pair.value ? "=" + go_quoted(*pair.value) : "");
  }
  return text;
}

std::string option(const std::string& name, const std::optional<std::string>& value) {
  return value ? fmt::format("{}={} ", name, *value) : "";
}

struct Dumper {
  std::string operator()(const From& from) const {
    return option("platform", from.platform) + from.image + (from.name.empty() ? "" : " as " + from.name);
  }
  std::string operator()(const Run& run) const {
    std::string text;
    for (const auto& mount : run.mounts) {
      text += "mount{";
      for (const auto& field : parse_csv_fields(mount)) text += field.key + "=" + field.value.value_or("") + ";";
      text += "} ";
    }
    for (const auto& device : run.devices) text += "device=" + device + " ";
    return text + option("network", run.network) + option("security", run.security) + command(run.command);
  }
  std::string operator()(const Copy& copy) const {
    std::string text =
        option("from", copy.from) + option("chown", copy.chown) + option("chmod", copy.chmod) + option("checksum", copy.checksum);
    for (const auto& exclude : copy.excludes) text += "exclude=" + exclude + " ";
    if (copy.link) text += "link ";
    if (copy.parents) text += "parents ";
    if (copy.keep_git_dir) text += "keep-git-dir ";
    if (copy.unpack) text += *copy.unpack ? "unpack " : "no-unpack ";
    return text + list(copy.sources) + " -> " + go_quoted(copy.destination) + heredocs(copy.heredocs);
  }
  std::string operator()(const Env& env) const { return pairs(env.pairs); }
  std::string operator()(const Label& label) const { return pairs(label.pairs); }
  std::string operator()(const Arg& arg) const { return pairs(arg.pairs); }
  std::string operator()(const Workdir& workdir) const { return go_quoted(workdir.path); }
  std::string operator()(const User& user) const { return go_quoted(user.user); }
  std::string operator()(const Expose& expose) const { return list(expose.ports); }
  std::string operator()(const Volume& volume) const { return list(volume.paths); }
  std::string operator()(const Cmd& cmd) const { return command(cmd.command); }
  std::string operator()(const Entrypoint& entrypoint) const { return command(entrypoint.command); }
  std::string operator()(const Shell& shell) const { return list(shell.words); }
  std::string operator()(const StopSignal& stop) const { return go_quoted(stop.signal); }
  std::string operator()(const Maintainer& maintainer) const { return go_quoted(maintainer.name); }
  std::string operator()(const HealthcheckInstruction& check) const {
    if (check.none) return "none";
    return fmt::format("{} {} {} {} {} {}", format_duration(check.interval), format_duration(check.timeout),
                       format_duration(check.start_period), format_duration(check.start_interval), check.retries,
                       command(check.command));
  }
  std::string operator()(const OnBuild& trigger) const { return go_quoted(trigger.instruction); }
};

}  // namespace

std::string dump(const Instruction& instruction) { return instruction.keyword + " " + std::visit(Dumper(), instruction.body); }

}  // namespace kiln::engine::dockerfile
