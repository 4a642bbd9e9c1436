// The text of a Dockerfile as logical lines: directives, comments and continuations taken care of.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "engine/dockerfile/instruction.hpp"

namespace kiln::engine::dockerfile {

struct Directives {
  char escape = '\\';
  std::string syntax;
  std::string check;
};

// One instruction's text. Heredoc bodies are separate, in the order of their markers.
struct LogicalLine {
  std::string text;  // continuation joined, comments removed, no leading blanks
  std::vector<Heredoc> heredocs;
  Location location;
};

// Splits and joins. Errors: io::Error(dockerfile) "line N: ...". `warnings` gets NoEmptyContinuation.
std::vector<LogicalLine> read_lines(std::string_view text, Directives& directives, std::vector<Warning>& warnings);

// The heredoc markers in a line, without bodies. None in exec form and for other instructions than RUN, COPY and ADD.
std::vector<Heredoc> find_heredocs(std::string_view line);

}  // namespace kiln::engine::dockerfile
