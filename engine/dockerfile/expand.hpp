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

// All forms of research/dockerfile-language 1.4: $v ${v} ${v:-w} ${v-w} ${v:+w} ${v+w} ${v:?w} ${v?w} ${v#p} ${v##p} ${v%p}
// ${v%%p} ${v/p/r} ${v//p/r}; quotes removed, `escape` honoured. Errors: io::Error(dockerfile) with the word in it.
std::string expand_word(std::string_view word, const Lookup& lookup, char escape = '\\');
// The same, then split at unquoted blanks (EXPOSE).
std::vector<std::string> expand_words(std::string_view word, const Lookup& lookup, char escape = '\\');
// A heredoc body: variables only; quotes stay, `\$` stops an expansion.
std::string expand_heredoc(std::string_view body, const Lookup& lookup, char escape = '\\');

}  // namespace kiln::engine::dockerfile
