// The rules about the instructions of stages, with the variables that each of them sees.
#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "engine/dockerfile/csv.hpp"
#include "engine/dockerfile/expand.hpp"
#include "engine/dockerfile/lint_report.hpp"
#include "engine/dockerfile/suggest.hpp"
#include "engine/dockerfile/text.hpp"

namespace kiln::engine::dockerfile {

namespace {

// What a stage hands on to stages that are FROM it.
struct StageState {
  Variables variables;
  std::set<std::string> declared;  // ARGs, with a value or not
  bool environment_known = true;   // false: the base image may define more
  bool workdir_set = false;
  bool shell_set = false;
};

// Words of a name between '_'.
bool has_word(const std::string& name, const auto& words) {
  for (const auto& part : split(name, '_')) {
    if (std::find(words.begin(), words.end(), lower(part)) != words.end()) return true;
  }
  return false;
}

bool names_a_secret(const std::string& name) {
  constexpr std::array secret = {"apikey",   "auth",  "credential", "credentials", "key",
                                 "password", "pword", "passwd",     "secret",      "token"};
  constexpr std::array harmless = {"public", "file", "version"};
  return has_word(name, secret) && !has_word(name, harmless);
}

bool is_remote(std::string_view source) {
  return source.starts_with("http://") || source.starts_with("https://") || source.starts_with("git://") ||
         source.starts_with("git@") || source.starts_with("ssh://");
}

// "./a//b/" -> "a/b"; "." for the context's root. "../" is cut off at the root.
std::string clean_source(std::string_view source) {
  std::vector<std::string_view> parts;
  for (const auto& part : split(source, '/')) {
    if (part == "..") {
      if (!parts.empty()) parts.pop_back();
    } else if (!part.empty() && part != ".") {
      parts.push_back(part);
    }
  }
  std::string path;
  for (const auto& part : parts) path += (path.empty() ? "" : "/") + std::string(part);
  return path.empty() ? "." : path;
}

class StageChecker {
 public:
  StageChecker(const Dockerfile& file, const LintOptions& options, const Variables& global, LintReport& report, StageState& state)
      : file_(file), options_(options), global_(global), report_(report), state_(state) {}

  void check(const Instruction& instruction) {
    current_ = &instruction;
    std::visit([this](const auto& body) { apply(body); }, instruction.body);
  }

 private:
  // The value, with UndefinedVar told; nothing when it cannot be known or the build itself will fail.
  std::optional<std::string> expand(const std::string& word) {
    Expanded expanded;
    bool good = true;
    try {
      expand_for_lint(word, state_.variables, file_.escape, expanded);
    } catch (const io::Error&) {
      good = false;
    }
    report_undefined(expanded.unmatched);
    if (!good || (!expanded.unmatched.empty() && !state_.environment_known)) return std::nullopt;
    return expanded.value;
  }

  void report_undefined(const std::vector<std::string>& names) {
    for (const auto& name : names) {
      if (state_.declared.contains(name) || name == "BUILDKIT_SBOM_SCAN_CONTEXT" || name == "BUILDKIT_SBOM_SCAN_STAGE") continue;
      const std::string near = nearest(name, names_of(state_.variables));
      if (near.empty() && !state_.environment_known) continue;
      const std::string suggestion = near.empty() ? "" : fmt::format(" (did you mean ${}?)", near);
      report_.add("UndefinedVar", fmt::format("Usage of undefined variable '${}'{}", name, suggestion), *current_);
    }
  }

  void check_legacy(const std::vector<KeyValue>& pairs) {
    const std::string& name = current_->keyword_as_written;
    for (const auto& pair : pairs) {
      if (!pair.legacy) continue;
      report_.add("LegacyKeyValueFormat",
                  fmt::format("\"{} key=value\" should be used instead of legacy \"{} key value\" format", name, name), *current_);
    }
  }

  void check_secret(const std::string& key) {
    if (!names_a_secret(key)) return;
    report_.add("SecretsUsedInArgOrEnv",
                fmt::format("Do not use ARG or ENV instructions for sensitive data ({} {})", current_->keyword, go_quoted(key)),
                *current_);
  }

  // The earlier one is the one that is ignored.
  void check_once(const Instruction*& earlier) {
    if (earlier) {
      report_.add(
          "MultipleInstructionsDisallowed",
          fmt::format("Multiple {} instructions should not be used in the same stage because only the last one will be used",
                      current_->keyword_as_written),
          *earlier);
    }
    earlier = current_;
  }

  void check_json(const CommandLine& command) {
    if (command.exec_form || state_.shell_set) return;
    report_.add("JSONArgsRecommended",
                fmt::format("JSON arguments recommended for {} to prevent unintended behavior related to OS signals",
                            current_->keyword_as_written),
                *current_);
  }

  void apply(const Env& env) {
    Variables added;
    for (const auto& pair : env.pairs) {
      const std::string key = expand(pair.key).value_or(pair.key);
      added[key] = expand(pair.value.value_or("")).value_or("");
    }
    check_legacy(env.pairs);
    for (auto& [key, value] : added) {
      check_secret(key);
      state_.variables[key] = std::move(value);
    }
  }

  void apply(const Label& label) {
    for (const auto& pair : label.pairs) {
      expand(pair.key);
      expand(pair.value.value_or(""));
    }
    check_legacy(label.pairs);
  }

  void apply(const Arg& arg) {
    for (const auto& pair : arg.pairs) {
      check_secret(pair.key);
      std::optional<std::string> value;
      const auto given = options_.build_args.find(pair.key);
      const auto global = global_.find(pair.key);
      if (given != options_.build_args.end()) {
        value = given->second;
      } else if (pair.value) {
        value = expand(*pair.value).value_or("");
      } else if (global != global_.end()) {
        value = global->second;
      }
      state_.declared.insert(pair.key);
      if (value) state_.variables[pair.key] = *value;
    }
  }

  void apply(const Copy& copy) {
    for (const auto* word : {&copy.chown, &copy.chmod, &copy.checksum}) {
      if (*word) expand(**word);
    }
    for (const auto& source : copy.sources) {
      const auto path = expand(source);
      // BuildKit does not look at a source that begins with '/'.
      if (path && !copy.from && !is_remote(*path) && !path->starts_with('/')) check_ignored(clean_source(*path), copy.is_add);
    }
    expand(copy.destination);
    for (const auto& heredoc : copy.heredocs) {
      if (heredoc.expand) expand_body(heredoc.body);
    }
  }

  void check_ignored(const std::string& path, bool is_add) {
    if (!options_.ignored || !options_.ignored(path)) return;
    report_.add("CopyIgnoredFile",
                fmt::format("Attempting to {} file {} that is excluded by .dockerignore", is_add ? "Add" : "Copy", go_quoted(path)),
                *current_);
  }

  void expand_body(const std::string& body) {
    std::vector<std::string> unmatched;
    const Lookup lookup = [&](std::string_view name) -> std::optional<std::string> {
      const auto found = state_.variables.find(std::string(name));
      if (found != state_.variables.end()) return found->second;
      if (std::find(unmatched.begin(), unmatched.end(), name) == unmatched.end()) unmatched.emplace_back(name);
      return std::nullopt;
    };
    try {
      expand_heredoc(body, lookup);
    } catch (const io::Error&) {  // the build itself will tell
    }
    report_undefined(unmatched);
  }

  void apply(const Run& run) {
    for (const auto& mount : run.mounts) {
      for (const auto& field : parse_csv_fields(mount)) {
        if (field.key != "from" && field.value) expand(*field.value);
      }
    }
  }

  void apply(const Workdir& workdir) {
    const auto path = expand(workdir.path);
    if (path && !state_.workdir_set && !path->starts_with('/')) {
      report_.add("WorkdirRelativePath",
                  fmt::format("Relative workdir {} can have unexpected results if the base image changes", go_quoted(*path)),
                  *current_);
    }
    state_.workdir_set = true;
  }

  void apply(const User& user) { expand(user.user); }
  void apply(const StopSignal& stop) { expand(stop.signal); }
  void apply(const Volume& volume) {
    for (const auto& path : volume.paths) expand(path);
  }

  void apply(const Expose& expose) {
    for (const auto& word : expose.ports) {
      std::vector<std::string> ports;
      const Lookup lookup = [this](std::string_view name) -> std::optional<std::string> {
        const auto found = state_.variables.find(std::string(name));
        return found == state_.variables.end() ? std::nullopt : std::optional(found->second);
      };
      try {
        ports = expand_words(word, lookup, file_.escape);
      } catch (const io::Error&) {  // the build itself will tell
      }
      for (const auto& port : ports) check_port(port);
    }
  }

  void check_port(const std::string& port) {
    const auto slash = port.find('/');
    const std::string protocol = slash == std::string::npos ? "" : port.substr(slash + 1);
    if (lower(protocol) != protocol) {
      report_.add("ExposeProtoCasing", fmt::format("Defined protocol '{}' in EXPOSE instruction should be lowercase", port),
                  *current_);
    }
    if (port.substr(0, slash).find(':') == std::string::npos) return;
    report_.add("ExposeInvalidFormat",
                fmt::format("EXPOSE instruction should not define an IP address or host-port mapping, found '{}'", port),
                *current_);
  }

  void apply(const Cmd& cmd) {
    check_once(cmd_);
    check_json(cmd.command);
  }
  void apply(const Entrypoint& entrypoint) {
    check_once(entrypoint_);
    check_json(entrypoint.command);
  }
  void apply(const HealthcheckInstruction&) { check_once(healthcheck_); }
  void apply(const Shell&) { state_.shell_set = true; }
  void apply(const Maintainer&) {}
  void apply(const OnBuild&) {}
  void apply(const From&) {}

  const Dockerfile& file_;
  const LintOptions& options_;
  const Variables& global_;
  LintReport& report_;
  StageState& state_;
  const Instruction* current_ = nullptr;
  const Instruction* cmd_ = nullptr;
  const Instruction* entrypoint_ = nullptr;
  const Instruction* healthcheck_ = nullptr;
};

// What stage `index` starts with: an earlier stage's state, nothing, or what is known of an image.
StageState initial_state(const Dockerfile& file, const LintOptions& options, const Variables& global,
                         const std::vector<StageState>& earlier, std::size_t index) {
  Expanded base;
  try {
    expand_for_lint(std::get<From>(file.stages[index].from.body).image, global, file.escape, base);
  } catch (const io::Error&) {  // the build itself will tell
  }
  for (std::size_t i = index; i-- > 0;) {
    const std::string& name = std::get<From>(file.stages[i].from.body).name;
    if (!name.empty() && name == lower(base.value)) return earlier[i];
  }
  StageState state;
  state.variables["PATH"] = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
  if (base.value == "scratch") return state;
  const oci::ImageConfig* config = options.base_config ? options.base_config(index) : nullptr;
  state.environment_known = config != nullptr;
  if (!config) return state;
  state.shell_set = !config->shell.empty();
  for (const auto& entry : config->env) {
    const auto equals = std::min(entry.find('='), entry.size());
    state.variables[entry.substr(0, equals)] = entry.substr(std::min(equals + 1, entry.size()));
  }
  return state;
}

}  // namespace

void lint_stages(const Dockerfile& file, const LintOptions& options, const Variables& global, LintReport& report) {
  std::vector<StageState> states;
  LintConfig nothing;
  nothing.skip_all = true;
  for (std::size_t i = 0; i < file.stages.size(); ++i) {
    states.push_back(initial_state(file, options, global, states, i));
    LintReport silent(nothing);
    const bool wanted = !options.wanted || options.wanted(i);
    StageChecker checker(file, options, global, wanted ? report : silent, states.back());
    for (const auto& instruction : file.stages[i].instructions) checker.check(instruction);
  }
}

}  // namespace kiln::engine::dockerfile
