#include <fmt/format.h>

#include "engine/dockerfile/diagnostics.hpp"
#include "engine/dockerfile/directives.hpp"
#include "engine/dockerfile/instruction.hpp"
#include "engine/dockerfile/lines.hpp"
#include "engine/dockerfile/parse_instruction.hpp"

namespace kiln::engine::dockerfile {

namespace {

// Stages of instructions, and the ARGs before the first of them.
void add_instruction(Dockerfile& file, Instruction instruction) {
  if (std::holds_alternative<From>(instruction.body)) {
    file.stages.push_back({std::move(instruction), {}});
  } else if (!file.stages.empty()) {
    file.stages.back().instructions.push_back(std::move(instruction));
  } else if (std::holds_alternative<Arg>(instruction.body)) {
    file.global_args.push_back(std::move(instruction));
  } else {
    fail_at("no build stage in current context", instruction.location);
  }
}

Dockerfile parse(std::string_view text) {
  if (text.empty()) fail_at("the Dockerfile cannot be empty", {});
  Lines lines = read_lines(text);
  if (lines.lines.empty()) fail_at("file with no instructions", {});
  Dockerfile file;
  for (auto& line : lines.lines) add_instruction(file, parse_instruction(std::move(line), lines.escape));
  if (file.stages.empty()) fail_at("dockerfile contains no stages to build", {});
  file.source = text;
  file.escape = lines.escape;
  file.check = find_check(text);
  file.warnings = std::move(lines.warnings);
  return file;
}

}  // namespace

Dockerfile parse_dockerfile(std::string_view text, std::string_view file_name) {
  try {
    return parse(text);
  } catch (const SyntaxError& error) {
    throw syntax_error(file_name, text, error.reason(), error.location());
  }
}

Instruction parse_trigger(std::string_view text, char escape) {
  // The trigger's text holds its heredoc bodies; its first line is the instruction.
  const std::string guarded = escape == '\\' ? std::string(text) : fmt::format("# escape={}\n{}", escape, text);
  Lines lines = read_lines(guarded);
  if (lines.lines.size() != 1) {
    throw io::Error(io::ErrorKind::dockerfile, fmt::format("onbuild trigger should be a single expression: {}", text));
  }
  return parse_instruction(std::move(lines.lines.front()), escape);
}

}  // namespace kiln::engine::dockerfile
