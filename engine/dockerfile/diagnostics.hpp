// Where in a Dockerfile something is, for people.
#pragma once

#include <string>
#include <string_view>

#include "engine/dockerfile/instruction.hpp"

namespace kiln::engine::dockerfile {

// "7", "7:3-9" or "7-9".
std::string describe(const Location& location);

// The lines of `location` marked with ">>>", two lines around them, carets below the columns of a single line. Ten marked lines
// at most; what cannot be printed is shown as '?', long lines are cut.
std::string source_excerpt(std::string_view source, const Location& location);

// "NAME:7:3-9: reason" and the excerpt; `location` without a line: "NAME: reason".
SyntaxError syntax_error(std::string_view name, std::string_view source, const std::string& reason, const Location& location);

// For an instruction that is well written and wrong all the same, as a whole: "NAME:7: reason" and its lines.
SyntaxError instruction_error(std::string_view name, std::string_view source, const std::string& reason, const Location& location);

// The same for a word of it, which is looked for in its lines; not found there (it was quoted, or it is a trigger's): the whole.
SyntaxError word_error(std::string_view name, std::string_view source, const std::string& reason, std::string_view word,
                       const Location& location);

// An error that came while an instruction was looked at or carried out, in the same form; kind and exit code stay.
io::Error error_at(std::string_view name, std::string_view source, const io::Error& error, const Location& location);

}  // namespace kiln::engine::dockerfile
