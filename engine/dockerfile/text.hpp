// Small rules about text that the Dockerfile language takes from Go: Unicode blanks, runes, booleans, %q.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace kiln::engine::dockerfile {

// Bytes of the blank (Go's unicode.IsSpace) that `text` starts with, 0 when it starts with none.
std::size_t blank_length(std::string_view text);

std::string_view trim_left(std::string_view text);
std::string_view trim(std::string_view text);

// What separates an instruction's keyword and plain words: blanks of ASCII but no newline.
inline bool is_separator(char c) { return c == ' ' || c == '\t' || c == '\v' || c == '\f' || c == '\r'; }

std::string lower(std::string_view text);  // ASCII only
std::string upper(std::string_view text);

// Bytes of the rune that `text` starts with; 1 for a byte that starts none. `text` is not empty.
std::size_t rune_length(std::string_view text);

// No overlong forms, no surrogates, nothing above U+10FFFF.
bool is_utf8(std::string_view text);

// As Go's strconv.ParseBool reads it; nothing: it is neither true nor false.
std::optional<bool> parse_boolean(std::string_view text);

// As Go's %q writes it, quotes included.
std::string go_quoted(std::string_view text);

// The parts between `separator`s; one empty part for an empty text.
std::vector<std::string_view> split(std::string_view text, char separator);

}  // namespace kiln::engine::dockerfile
