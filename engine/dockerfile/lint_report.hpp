// Findings as the rules make them, and the variables that an expansion used.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "engine/dockerfile/lint.hpp"

namespace kiln::engine::dockerfile {

class LintReport {
 public:
  explicit LintReport(LintConfig config) : config_(std::move(config)) {}

  void add(std::string_view rule, std::string message, const Instruction& at);
  void add(Warning warning);
  std::vector<Warning> take();  // in the order of their lines

 private:
  LintConfig config_;
  std::vector<Warning> findings_;
};

using Variables = std::map<std::string, std::string>;

// A word's value, and the names that were and were not set, in the order of their first use.
struct Expanded {
  std::string value;
  std::vector<std::string> matched;
  std::vector<std::string> unmatched;
};
// Errors: as expand_word; `result` then has the names up to there.
void expand_for_lint(const std::string& word, const Variables& variables, char escape, Expanded& result);

std::vector<std::string> names_of(const Variables& variables);

// A file's stages, one after the other. `global` are the ARGs before FROM.
void lint_stages(const Dockerfile& file, const LintOptions& options, const Variables& global, LintReport& report);

}  // namespace kiln::engine::dockerfile
