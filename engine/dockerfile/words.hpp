// Words and flags of an instruction's text.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/dockerfile/instruction.hpp"

namespace kiln::engine::dockerfile {

// Words between blanks; quotes are not honoured.
std::vector<std::string> split_words(std::string_view text);

// NAME=value words of ENV, LABEL and ARG: blanks inside quotes or after the escape character do not split; quotes stay.
std::vector<std::string> split_quoted_words(std::string_view text, char escape);

// A JSON array of strings; nothing when the text is not JSON. Errors: io::Error(dockerfile) for other elements than strings.
std::optional<std::vector<std::string>> parse_json_words(std::string_view text);

enum class FlagKind { boolean, text, list };

// The leading --flags of an instruction.
class Flags {
 public:
  // Takes the flags off `text`. Errors: io::Error(dockerfile) for unknown (with a suggestion), duplicate and malformed ones.
  Flags(std::string_view& text, const std::map<std::string, FlagKind>& known, char escape);

  bool boolean(const std::string& name) const;
  std::optional<bool> optional_boolean(const std::string& name) const;
  std::optional<std::string> text(const std::string& name) const;
  std::vector<std::string> list(const std::string& name) const;

 private:
  std::map<std::string, std::vector<std::string>> values_;
};

}  // namespace kiln::engine::dockerfile
