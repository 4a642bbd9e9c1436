// BuildKit's build checks: 22 rules with their names, texts and places, as a pure function of the parsed file.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "engine/dockerfile/instruction.hpp"
#include "oci/image/config.hpp"
#include "oci/image/platform.hpp"

namespace kiln::engine::dockerfile {

struct LintRule {
  std::string_view name;
  std::string_view description;
  bool experimental = false;

  std::string url() const;  // empty for the one rule that has no page
};
const std::vector<LintRule>& lint_rules();
// The rule of a finding. Errors: io::Error(internal) for a name that is no rule.
const LintRule& lint_rule(std::string_view name);

// "skip=A,B;error=true;experimental=all".
struct LintConfig {
  std::set<std::string> skip;
  std::set<std::string> experimental;
  bool skip_all = false;
  bool all_experimental = false;
  bool error = false;

  bool reports(const LintRule& rule) const;
};
// Errors: io::Error(dockerfile) naming the option.
LintConfig parse_lint_config(std::string_view text);
// The configuration of a file: the build argument BUILDKIT_DOCKERFILE_CHECK when it is given, else "# check=".
LintConfig lint_config(const Dockerfile& file, const std::map<std::string, std::string>& build_args);

struct LintOptions {
  LintConfig config;
  std::map<std::string, std::string> build_args;
  oci::Platform target_platform;
  oci::Platform build_platform;
  std::string target;                                  // --target
  std::function<bool(std::size_t stage)> wanted;       // which stages are looked into; unset: all
  std::function<bool(std::string_view path)> ignored;  // does .dockerignore leave this path out? unset: nothing is
  // The config of the image that a stage is built on; null, or unset: not known. Then a variable may come from there, and
  // UndefinedVar is told only where a variable of the file has nearly the same name; InvalidBaseImagePlatform is not told.
  std::function<const oci::ImageConfig*(std::size_t stage)> base_config;
};

// Findings in the order of their lines, those that are skipped left out (by the configuration or by a comment
// "# check=skip=RULE" directly above the instruction).
std::vector<Warning> lint(const Dockerfile& file, const LintOptions& options);

// "Rule: message (line N)".
std::string describe(const Warning& warning);
// Errors: io::Error(dockerfile) "lint violation found for rules: A, B" when there are findings and they are to be errors.
void check_findings(const std::vector<Warning>& findings, const LintConfig& config);

}  // namespace kiln::engine::dockerfile
