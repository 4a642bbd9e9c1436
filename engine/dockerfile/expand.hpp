// Variable expansion in Dockerfile words, as BuildKit's shell lexer does it (not a shell: no command substitution).
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace kiln::engine::dockerfile {

// The value of a variable, or nothing when it is not set.
using Lookup = std::function<std::optional<std::string>(std::string_view name)>;

// $v ${v} ${v:-w} ${v-w} ${v:+w} ${v+w} ${v:?w} ${v?w} ${v#p} ${v##p} ${v%p} ${v%%p} ${v/p/r} ${v//p/r}; w, p and r are
// expanded themselves (100 levels deep at most); quotes are removed, `escape` gives the next character as it is. Names are
// of ASCII letters, digits and '_'; one of @*#?-$! is a name too. Errors: io::Error(dockerfile) 'failed to process "WORD": why'.
std::string expand_word(std::string_view word, const Lookup& lookup, char escape = '\\');

// The same, then split at unquoted blanks (EXPOSE). Empty words are dropped, quoted ones too.
std::vector<std::string> expand_words(std::string_view word, const Lookup& lookup, char escape = '\\');

// The body of a heredoc file: variables only. Quotes stay; a backslash (whatever the escape directive says) is removed and
// what follows it stays as it is.
std::string expand_heredoc(std::string_view body, const Lookup& lookup);

// How a line is cut into words when no variable is known: those stay as they are written.
struct Lexing {
  bool keep_quotes = false;
  bool keep_escapes = false;
};
std::vector<std::string> lex_words(std::string_view text, Lexing lexing);

}  // namespace kiln::engine::dockerfile
