// The text of a Dockerfile as logical lines: directives, comments and continuations taken care of.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "engine/dockerfile/instruction.hpp"

namespace kiln::engine::dockerfile {

// One instruction's text. Heredoc bodies are separate, in the order of their markers.
struct LogicalLine {
  std::string text;  // continuation joined, comments removed, no leading blanks
  std::vector<Heredoc> heredocs;
  std::vector<std::string> comments;  // directly above
  Location location;

  // Where `part`, which lies in `text`, is in the file; the whole instruction's place for any other view.
  Location locate(std::string_view part) const;

  struct Piece {
    std::size_t offset = 0;  // in text
    int line = 0;
    int column = 0;
  };
  std::vector<Piece> pieces;
};

struct Lines {
  std::vector<LogicalLine> lines;
  char escape = '\\';
  std::vector<Warning> warnings;  // NoEmptyContinuation
};

// A SyntaxError whose message is the bare reason.
[[noreturn]] void fail_at(const std::string& reason, Location where);

// Splits and joins. Errors: SyntaxError whose message is the bare reason.
Lines read_lines(std::string_view text);

}  // namespace kiln::engine::dockerfile
