// The rules' texts, and which of them are wanted.
#include <cctype>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "engine/dockerfile/lint.hpp"
#include "engine/dockerfile/text.hpp"

namespace kiln::engine::dockerfile {

namespace {

[[noreturn]] void fail_option(const std::string& what) {
  throw io::Error(io::ErrorKind::dockerfile, "failed to parse check options: " + what);
}

std::set<std::string> names_in(std::string_view list) {
  std::set<std::string> names;
  for (const auto& name : split(list, ',')) names.emplace(trim(name));
  return names;
}

bool parse_bool(std::string_view value, std::string_view option) {
  if (const auto parsed = parse_boolean(value)) return *parsed;
  fail_option(fmt::format("failed to parse check option {}: {} is neither true nor false", go_quoted(option), go_quoted(value)));
}

}  // namespace

std::string LintRule::url() const {
  if (name == "InvalidBaseImagePlatform") return "";
  std::string kebab;
  for (std::size_t i = 0; i < name.size(); ++i) {
    const auto is_upper = [this](std::size_t at) { return at < name.size() && std::isupper(static_cast<unsigned char>(name[at])); };
    if (i > 0 && is_upper(i) && (!is_upper(i - 1) || (i + 1 < name.size() && !is_upper(i + 1)))) kebab += '-';
    kebab += static_cast<char>(std::tolower(static_cast<unsigned char>(name[i])));
  }
  return fmt::format("https://docs.docker.com/go/dockerfile/rule/{}/", kebab);
}

const std::vector<LintRule>& lint_rules() {
  static const std::vector<LintRule> rules = {
      {"StageNameCasing", "Stage names should be lowercase"},
      {"FromAsCasing", "The 'as' keyword should match the case of the 'from' keyword"},
      {"NoEmptyContinuation", "Empty continuation lines will become errors in a future release"},
      {"ConsistentInstructionCasing", "All commands within the Dockerfile should use the same casing (either upper or lower)"},
      {"DuplicateStageName", "Stage names should be unique"},
      {"ReservedStageName", "Reserved words should not be used as stage names"},
      {"JSONArgsRecommended", "JSON arguments recommended for ENTRYPOINT/CMD to prevent unintended behavior related to OS signals"},
      {"MaintainerDeprecated", "The MAINTAINER instruction is deprecated, use a label instead to define an image author"},
      {"UndefinedArgInFrom", "FROM command must use declared ARGs"},
      {"WorkdirRelativePath",
       "Relative workdir without an absolute workdir declared within the build can have unexpected results if the base image "
       "changes"},
      {"UndefinedVar", "Variables should be defined before their use"},
      {"MultipleInstructionsDisallowed", "Multiple instructions of the same type should not be used in the same stage"},
      {"LegacyKeyValueFormat", "Legacy key/value format with whitespace separator should not be used"},
      {"InvalidBaseImagePlatform", "Base image platform does not match expected target platform"},
      {"RedundantTargetPlatform",
       "Setting platform to predefined $TARGETPLATFORM in FROM is redundant as this is the default behavior"},
      {"SecretsUsedInArgOrEnv", "Sensitive data should not be used in the ARG or ENV commands"},
      {"InvalidDefaultArgInFrom", "Default value for global ARG results in an empty or invalid base image name"},
      {"FromPlatformFlagConstDisallowed", "FROM --platform flag should not use a constant value"},
      {"CopyIgnoredFile", "Attempting to Copy file that is excluded by .dockerignore"},
      {"InvalidDefinitionDescription",
       "Comment for build stage or argument should follow the format: `# <arg/stage name> <description>`. If this is not intended "
       "to be a description comment, add an empty line or comment between the instruction and the comment.",
       true},
      {"ExposeProtoCasing", "Protocol in EXPOSE instruction should be lowercase"},
      {"ExposeInvalidFormat",
       "IP address and host-port mapping should not be used in EXPOSE instruction. This will become an error in a future release"},
  };
  return rules;
}

const LintRule& lint_rule(std::string_view name) {
  for (const auto& rule : lint_rules()) {
    if (rule.name == name) return rule;
  }
  throw io::Error(io::ErrorKind::internal, fmt::format("no check is called {}", name));
}

bool LintConfig::reports(const LintRule& rule) const {
  const std::string name(rule.name);
  if (rule.experimental) return all_experimental || experimental.contains(name);
  return !skip_all && !skip.contains(name);
}

LintConfig parse_lint_config(std::string_view text) {
  LintConfig config;
  if (trim(text).empty()) return config;
  for (const auto& option : split(text, ';')) {
    const auto equals = option.find('=');
    if (equals == std::string_view::npos) fail_option(fmt::format("invalid check option {}", go_quoted(option)));
    const std::string_view key = trim(option.substr(0, equals));
    const std::string_view value = trim(option.substr(equals + 1));
    if (key == "skip") {
      config.skip_all = value == "all";
      if (!config.skip_all) config.skip = names_in(value);
    } else if (key == "experimental") {
      config.all_experimental = value == "all";
      if (!config.all_experimental) config.experimental = names_in(value);
    } else if (key == "error") {
      config.error = parse_bool(value, option);
    } else {
      fail_option(fmt::format("invalid check option {}", go_quoted(key)));
    }
  }
  return config;
}

LintConfig lint_config(const Dockerfile& file, const std::map<std::string, std::string>& build_args) {
  const auto given = build_args.find("BUILDKIT_DOCKERFILE_CHECK");
  return parse_lint_config(given != build_args.end() ? given->second : file.check);
}

std::string describe(const Warning& warning) {
  if (warning.location.first_line == 0) return fmt::format("{}: {}", warning.rule, warning.message);
  return fmt::format("{}: {} (line {})", warning.rule, warning.message, warning.location.first_line);
}

void check_findings(const std::vector<Warning>& findings, const LintConfig& config) {
  if (!config.error || findings.empty()) return;
  std::set<std::string> rules;
  for (const auto& finding : findings) rules.insert(finding.rule);
  throw io::Error(io::ErrorKind::dockerfile, fmt::format("lint violation found for rules: {}", fmt::join(rules, ", ")));
}

}  // namespace kiln::engine::dockerfile
