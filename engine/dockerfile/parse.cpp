#include <fmt/format.h>

#include "engine/dockerfile/instruction.hpp"
#include "engine/dockerfile/lines.hpp"
#include "engine/dockerfile/parse_instruction.hpp"
#include "io/base/error.hpp"

namespace kiln::engine::dockerfile {

namespace {

// Stages of instructions, and the ARGs before the first of them.
class FileBuilder {
 public:
  void add(Instruction instruction) {
    if (std::holds_alternative<From>(instruction.body)) {
      file_.stages.push_back({std::move(instruction), {}});
    } else if (!file_.stages.empty()) {
      file_.stages.back().instructions.push_back(std::move(instruction));
    } else if (std::holds_alternative<Arg>(instruction.body)) {
      file_.global_args.push_back(std::move(instruction));
    } else {
      throw io::Error(io::ErrorKind::dockerfile, fmt::format("no build stage in current context: {}", instruction.original));
    }
  }
  Dockerfile& file() { return file_; }

 private:
  Dockerfile file_;
};

}  // namespace

Dockerfile parse_dockerfile(std::string_view text, std::string_view file_name) {
  const std::string name(file_name);
  FileBuilder builder;
  Directives directives;
  std::vector<LogicalLine> lines = io::with_context(name, [&] { return read_lines(text, directives, builder.file().warnings); });
  if (text.empty()) throw io::Error(io::ErrorKind::dockerfile, name + ": the Dockerfile cannot be empty");
  if (lines.empty()) throw io::Error(io::ErrorKind::dockerfile, name + ": file with no instructions");
  for (auto& line : lines) {
    const int number = line.location.first_line;
    io::with_context(fmt::format("{}:{}", name, number),
                     [&] { builder.add(parse_instruction(std::move(line), directives.escape)); });
  }
  Dockerfile file = std::move(builder.file());
  if (file.stages.empty()) throw io::Error(io::ErrorKind::dockerfile, name + ": dockerfile contains no stages to build");
  file.escape = directives.escape;
  file.syntax = directives.syntax;
  file.check = directives.check;
  return file;
}

Instruction parse_trigger(std::string_view text, char escape) {
  // The trigger's text holds its heredoc bodies; its first line is the instruction.
  Directives directives;
  std::vector<Warning> warnings;
  const std::string guarded = escape == '\\' ? std::string(text) : fmt::format("# escape={}\n{}", escape, text);
  std::vector<LogicalLine> lines = read_lines(guarded, directives, warnings);
  if (lines.size() != 1) throw io::Error(io::ErrorKind::dockerfile, fmt::format("bad ONBUILD trigger: {}", text));
  return parse_instruction(std::move(lines.front()), escape);
}

}  // namespace kiln::engine::dockerfile
