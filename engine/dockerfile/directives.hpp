// Parser directives ("# key=value" at the very top) and what "# syntax=" may name.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace kiln::engine::dockerfile {

// Key (lower case) and value of a line "PREFIX key=value"; nothing for any other line.
std::optional<std::pair<std::string, std::string>> parse_directive(std::string_view line, std::string_view prefix = "#");

// The frontend that a file asks for: the first word of "# syntax=", of "// syntax=" or of the key "syntax" of a JSON object.
// A first line "#!..." is passed over. Empty: none. `text` may be anything.
std::string find_syntax(std::string_view text);

// The value of "# check=" in the run of directives at the top, behind a first line "#!..."; empty: none.
std::string find_check(std::string_view text);

// The language that is built in is docker/dockerfile with its labs features, whatever tag or digest is asked for, also from
// a mirror of it, and docker/dockerfile-upstream and dockerfile.v0. Errors: io::Error(unsupported) naming any other frontend.
void check_frontend(std::string_view reference);

// The same for a file's text; the build argument BUILDKIT_SYNTAX wins over what the file says unless it is empty.
void check_frontend_of(std::string_view text, std::string_view buildkit_syntax);

}  // namespace kiln::engine::dockerfile
