// Heredoc markers: which words of an instruction's line open a heredoc.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "engine/dockerfile/instruction.hpp"

namespace kiln::engine::dockerfile {

// "3<<-'EOF'" as a heredoc without its body; nothing for any other word. Digits, "<<", a "-", blanks, and a delimiter that
// is one shell word without "<"; a delimiter with a quoted part (not an escaped one) makes the body literal. The delimiter reaches
// to the end of the word: "<<EOF;" waits for a line "EOF;".
std::optional<Heredoc> parse_heredoc_marker(std::string_view word);

// The markers among the shell words of a line, in order. A line with an open quote or a bad substitution has none.
std::vector<Heredoc> find_heredocs(std::string_view line);

// Without the tabs at the beginning of every line.
std::string without_leading_tabs(std::string_view body);

}  // namespace kiln::engine::dockerfile
