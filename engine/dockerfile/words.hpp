// Words and flags of an instruction's text. Views point into the text.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/dockerfile/instruction.hpp"

namespace kiln::engine::dockerfile {

// Takes the first word and the blanks behind it off `text`.
std::string_view take_word(std::string_view& text);

// Words between blanks; quotes are not honoured.
std::vector<std::string_view> split_words(std::string_view text);

// NAME=value words of ENV, LABEL and ARG: blanks inside quotes or after the escape character do not split; quotes stay. An
// escape character at the very end is dropped.
std::vector<std::string_view> split_quoted_words(std::string_view text, char escape);

// A JSON array of strings; nothing when the text does not begin with one (what follows the array is not looked at, as in
// BuildKit). Errors: io::Error(dockerfile) for other elements than strings.
std::optional<std::vector<std::string>> parse_json_words(std::string_view text);

// A leading word that begins with "--": quotes removed, backslashes resolved (whatever the escape directive says).
struct FlagWord {
  std::string word;
  std::string_view written;
};
// Takes them off `text`, up to a bare "--", which goes too.
std::vector<FlagWord> take_flags(std::string_view& text);

// A flag or a word that is wrong, and where it stands.
class WordError : public io::Error {
 public:
  WordError(std::string message, std::string_view word) : io::Error(io::ErrorKind::dockerfile, std::move(message)), word_(word) {}
  std::string_view word() const noexcept { return word_; }

 private:
  std::string_view word_;
};

enum class FlagKind { boolean, text, list };

// An instruction's flags, checked.
class Flags {
 public:
  // Errors: WordError for unknown (with a suggestion), duplicate and malformed ones.
  Flags(const std::vector<FlagWord>& words, const std::map<std::string, FlagKind>& known);

  bool boolean(const std::string& name) const;
  std::optional<bool> optional_boolean(const std::string& name) const;
  std::optional<std::string> text(const std::string& name) const;
  std::vector<std::string> list(const std::string& name) const;
  std::string_view written(const std::string& name) const;  // of the first one; empty when not given

 private:
  void add(const FlagWord& flag, const std::map<std::string, FlagKind>& known);
  struct Value {
    std::string value;
    std::string_view written;
  };
  std::map<std::string, std::vector<Value>> values_;
};

}  // namespace kiln::engine::dockerfile
