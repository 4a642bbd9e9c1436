// The rules about the file as a whole and about FROM.
#include "engine/dockerfile/lint.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "engine/dockerfile/directives.hpp"
#include "engine/dockerfile/expand.hpp"
#include "engine/dockerfile/lint_report.hpp"
#include "engine/dockerfile/suggest.hpp"
#include "engine/dockerfile/text.hpp"
#include "oci/image/reference.hpp"

namespace kiln::engine::dockerfile {

namespace {

const From& from_of(const StageText& stage) { return std::get<From>(stage.from.body); }

bool is_lower(const std::string& text) { return lower(text) == text; }
bool is_upper(const std::string& text) { return upper(text) == text; }

// "check=skip=A" among the comments directly above an instruction.
LintConfig config_of_comments(const Instruction& instruction) {
  LintConfig config;
  for (const auto& comment : instruction.comments) {
    const auto directive = parse_directive("#" + comment);
    if (directive && directive->first == "check") config = parse_lint_config(directive->second);
  }
  return config;
}

// Every instruction in the order of the file.
template <class Visit>
void for_each(const Dockerfile& file, Visit visit) {
  for (const auto& instruction : file.global_args) visit(instruction);
  for (const auto& stage : file.stages) {
    visit(stage.from);
    for (const auto& instruction : stage.instructions) visit(instruction);
  }
}

void check_continuations(const Dockerfile& file, LintReport& report) {
  for (const auto& warning : file.warnings) {
    const Instruction* owner = nullptr;
    for_each(file, [&](const Instruction& instruction) {
      if (instruction.location.first_line <= warning.location.first_line) owner = &instruction;
    });
    if (owner && config_of_comments(*owner).reports(lint_rule(warning.rule))) report.add(warning);
  }
}

// The last comment above ARG or FROM is a description, and begins with the name that it describes.
void check_description(const Instruction& instruction, LintReport& report) {
  std::vector<std::string> names;
  if (const auto* arg = std::get_if<Arg>(&instruction.body)) {
    for (const auto& pair : arg->pairs) names.push_back(pair.key);
  } else if (const auto* from = std::get_if<From>(&instruction.body); from && !from->name.empty()) {
    names.push_back(from->name);
  }
  if (names.empty() || instruction.comments.empty()) return;
  const std::string& comment = instruction.comments.back();
  const std::string word = comment.substr(0, comment.find(' '));
  if (word.starts_with("check=") || std::find(names.begin(), names.end(), word) != names.end()) return;
  report.add("InvalidDefinitionDescription",
             fmt::format("Comment for {} should follow the format: `# {} <description>`", instruction.keyword,
                         names.size() > 1 ? "<arg_key>" : names.front()),
             instruction);
}

void check_texts(const Dockerfile& file, LintReport& report) {
  for_each(file, [&](const Instruction& instruction) {
    if (std::holds_alternative<Maintainer>(instruction.body)) {
      report.add("MaintainerDeprecated", "Maintainer instruction is deprecated in favor of using label", instruction);
    }
    check_description(instruction, report);
    const auto* from = std::get_if<From>(&instruction.body);
    if (!from || from->name.empty()) return;
    if (from->name != from->name_as_written) {
      report.add("StageNameCasing", fmt::format("Stage name '{}' should be lowercase", from->name_as_written), instruction);
    }
    const std::string& keyword = instruction.keyword_as_written;
    if ((is_lower(keyword) && !is_lower(from->as_keyword)) || (is_upper(keyword) && !is_upper(from->as_keyword))) {
      report.add("FromAsCasing", fmt::format("'{}' and '{}' keywords' casing do not match", from->as_keyword, keyword),
                 instruction);
    }
  });
}

void check_stage_names(const Dockerfile& file, LintReport& report) {
  std::set<std::string> seen;
  for (const auto& stage : file.stages) {
    const std::string& name = from_of(stage).name;
    if (name.empty()) continue;
    if (name == "context" || name == "scratch") {
      report.add("ReservedStageName", fmt::format("Stage name should not use the same name as reserved stage \"{}\"", name),
                 stage.from);
    }
    if (!seen.insert(name).second) {
      report.add("DuplicateStageName", fmt::format("Duplicate stage name \"{}\", stage names should be unique", name), stage.from);
    }
  }
}

// ARGs before FROM do not take part.
void check_casing(const Dockerfile& file, LintReport& report) {
  int lower_count = 0, upper_count = 0;
  const auto in_stages = [&file](auto visit) {
    for_each(file, [&](const Instruction& instruction) {
      if (instruction.location.first_line >= file.stages.front().from.location.first_line) visit(instruction);
    });
  };
  in_stages([&](const Instruction& instruction) {
    const std::string& keyword = instruction.keyword_as_written;
    lower_count += is_lower(keyword) ? 1 : 0;
    upper_count += is_upper(keyword) ? 1 : 0;
  });
  const bool want_lower = lower_count > upper_count;
  in_stages([&](const Instruction& instruction) {
    const std::string& keyword = instruction.keyword_as_written;
    if (want_lower ? is_lower(keyword) : is_upper(keyword)) return;
    report.add("ConsistentInstructionCasing",
               fmt::format("Command '{}' should match the case of the command majority ({})", keyword,
                           want_lower ? "lowercase" : "uppercase"),
               instruction);
  });
}

Variables automatic_args(const LintOptions& options) {
  Variables values;
  for (const auto& [prefix, platform] :
       {std::pair("TARGET", options.target_platform), std::pair("BUILD", options.build_platform)}) {
    const std::string name = prefix;
    values[name + "PLATFORM"] = platform.text();
    values[name + "OS"] = platform.os;
    values[name + "OSVERSION"] = platform.os_version;
    values[name + "ARCH"] = platform.architecture;
    values[name + "VARIANT"] = platform.variant;
  }
  values["TARGETSTAGE"] = options.target.empty() ? "default" : options.target;
  return values;
}

// The global arguments; nothing when a default cannot be expanded, which the build itself will tell.
std::optional<Variables> global_args(const Dockerfile& file, Variables values,
                                     const std::map<std::string, std::string>& build_args) {
  for (const auto& instruction : file.global_args) {
    for (const auto& pair : std::get<Arg>(instruction.body).pairs) {
      const auto given = build_args.find(pair.key);
      if (given != build_args.end()) {
        values[pair.key] = given->second;
      } else if (pair.value) {
        Expanded expanded;
        try {
          expand_for_lint(*pair.value, values, file.escape, expanded);
        } catch (const io::Error&) {
          return std::nullopt;
        }
        values[pair.key] = expanded.value;
      }
    }
  }
  return values;
}

bool is_image_name(const std::string& text) {
  try {
    oci::parse_reference(text);
    return true;
  } catch (const io::Error&) {
    return false;
  }
}

void check_default_bases(const Dockerfile& file, const LintOptions& options, LintReport& report) {
  const auto defaults = global_args(file, automatic_args(options), {});
  if (!defaults) return;
  for (const auto& stage : file.stages) {
    Expanded expanded;
    try {
      expand_for_lint(from_of(stage).image, *defaults, file.escape, expanded);
    } catch (const io::Error&) {
      return;
    }
    if (is_image_name(expanded.value)) continue;
    report.add("InvalidDefaultArgInFrom",
               fmt::format("Default value for ARG {} results in empty or invalid base image name", from_of(stage).image),
               stage.from);
  }
}

class FromChecker {
 public:
  FromChecker(const Dockerfile& file, const LintOptions& options, const Variables& global, LintReport& report)
      : file_(file), options_(options), global_(global), report_(report) {
    declared_ = names_of(global);
    for (const auto& instruction : file.global_args) {
      for (const auto& pair : std::get<Arg>(instruction.body).pairs) declared_.push_back(pair.key);
    }
  }

  void check(std::size_t index) {
    const StageText& stage = file_.stages[index];
    const From& from = from_of(stage);
    const Expanded image = expand(from.image, stage.from);
    if (!from.platform || from.platform->empty()) {
      check_base(index, image.value, options_.target_platform);
      return;
    }
    const Expanded platform = expand(*from.platform, stage.from);
    if (const auto wanted = as_platform(platform.value)) check_base(index, image.value, *wanted);
    const bool one = platform.matched.size() == 1 && platform.unmatched.empty();
    if (one && platform.matched.front() == "TARGETPLATFORM" && platform.value == global_.at("TARGETPLATFORM")) {
      report_.add(
          "RedundantTargetPlatform",
          fmt::format("Setting platform to predefined {} in FROM is redundant as this is the default behavior", *from.platform),
          stage.from);
    }
    if (platform.matched.empty() && platform.unmatched.empty()) check_constant(platform.value, from, stage.from);
  }

 private:
  Expanded expand(const std::string& word, const Instruction& at) {
    Expanded expanded;
    try {
      expand_for_lint(word, global_, file_.escape, expanded);
    } catch (const io::Error&) {  // the build itself will tell
    }
    for (const auto& name : expanded.unmatched) {
      if (std::find(declared_.begin(), declared_.end(), name) != declared_.end()) continue;
      report_.add("UndefinedArgInFrom", fmt::format("FROM argument '{}' is not declared{}", name, did_you_mean(name, declared_)),
                  at);
    }
    return expanded;
  }

  void check_constant(const std::string& value, const From& from, const Instruction& at) {
    const auto platform = as_platform(value);
    if (!platform) return;
    const bool in_name =
        from.name.find(platform->os) != std::string::npos || from.name.find(platform->architecture) != std::string::npos;
    if (in_name && !from.name.empty()) return;
    report_.add("FromPlatformFlagConstDisallowed",
                fmt::format("FROM --platform flag should not use constant value {}", go_quoted(value)), at);
  }

  static std::optional<oci::Platform> as_platform(const std::string& text) {
    try {
      return oci::parse_platform(text);
    } catch (const io::Error&) {  // the build itself will tell
      return std::nullopt;
    }
  }

  void check_base(std::size_t index, const std::string& image, const oci::Platform& expected) {
    const oci::ImageConfig* config = options_.base_config ? options_.base_config(index) : nullptr;
    if (!config || config->platform.architecture.empty()) return;
    const oci::Platform& actual = config->platform;
    if (expected.os == actual.os && expected.architecture == actual.architecture) return;
    report_.add("InvalidBaseImagePlatform",
                fmt::format("Base image {} was pulled with platform \"{}\", expected \"{}\" for current build", image,
                            actual.text(), expected.text()),
                file_.stages[index].from);
  }

  const Dockerfile& file_;
  const LintOptions& options_;
  const Variables& global_;
  LintReport& report_;
  std::vector<std::string> declared_;
};

}  // namespace

void LintReport::add(std::string_view rule, std::string message, const Instruction& at) {
  if (!config_of_comments(at).reports(lint_rule(rule)) && !lint_rule(rule).experimental) return;
  add(Warning{std::string(rule), std::move(message), at.location});
}

void LintReport::add(Warning warning) {
  if (config_.reports(lint_rule(warning.rule))) findings_.push_back(std::move(warning));
}

std::vector<Warning> LintReport::take() {
  std::map<int, std::vector<Warning>> by_line;
  for (auto& finding : findings_) by_line[finding.location.first_line].push_back(std::move(finding));
  std::vector<Warning> sorted;
  for (auto& [line, findings] : by_line) std::move(findings.begin(), findings.end(), std::back_inserter(sorted));
  return sorted;
}

void expand_for_lint(const std::string& word, const Variables& variables, char escape, Expanded& result) {
  const auto note = [](std::vector<std::string>& names, std::string_view name) {
    if (std::find(names.begin(), names.end(), name) == names.end()) names.emplace_back(name);
  };
  const Lookup lookup = [&](std::string_view name) -> std::optional<std::string> {
    const auto found = variables.find(std::string(name));
    note(found == variables.end() ? result.unmatched : result.matched, name);
    if (found == variables.end()) return std::nullopt;
    return found->second;
  };
  result.value = expand_word(word, lookup, escape);
}

std::vector<std::string> names_of(const Variables& variables) {
  std::vector<std::string> names;
  for (const auto& entry : variables) names.push_back(entry.first);
  return names;
}

std::vector<Warning> lint(const Dockerfile& file, const LintOptions& options) {
  LintReport report(options.config);
  check_continuations(file, report);
  check_texts(file, report);
  check_stage_names(file, report);
  check_casing(file, report);
  check_default_bases(file, options, report);
  if (const auto global = global_args(file, automatic_args(options), options.build_args)) {
    FromChecker from(file, options, *global, report);
    for (std::size_t i = 0; i < file.stages.size(); ++i) from.check(i);
    lint_stages(file, options, *global, report);
  }
  return report.take();
}

}  // namespace kiln::engine::dockerfile
