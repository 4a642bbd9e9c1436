// Path patterns, compiled once. Characters are UTF-8 code points; a byte that is none counts as one character.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace kiln::engine {

class Glob {
 public:
  enum class Syntax : std::uint8_t {
    path,    // Go's path.Match: * ? [a-z] [^x] \c
    ignore,  // the same as moby/patternmatcher reads it: "**" too, and a set may match '/'
  };

  // Errors: io::Error(context) naming the pattern.
  Glob(std::string_view pattern, Syntax syntax);

  // Whole paths; '*' and '?' do not cross '/'. Never takes longer than the product of both lengths.
  bool matches(std::string_view path) const;

  enum class Kind : std::uint8_t {
    exact,    // one path: text()
    suffix,   // "**" and plain text: every path that ends in text(); "/x" also is "x"
    general,  // the rest
  };
  Kind kind() const noexcept { return kind_; }
  const std::string& text() const noexcept { return text_; }
  // What every match begins with.
  const std::string& prefix() const noexcept { return prefix_; }

 private:
  enum class Step : std::uint8_t { character, any_one, any_run, any_path, any_directories, set };
  struct Item {
    Step step;
    char byte = 0;
    std::size_t set = 0;
  };
  struct Set {
    bool negated = false;
    std::vector<std::pair<char32_t, char32_t>> ranges;
  };
  class Matching;

  std::size_t parse_set(std::string_view pattern, std::size_t at);
  char32_t parse_set_character(std::string_view pattern, std::size_t& at) const;
  void classify(std::string_view pattern);
  bool in_set(const Set& set, char32_t c) const;

  Syntax syntax_;
  Kind kind_ = Kind::general;
  std::vector<Item> items_;
  std::vector<Set> sets_;
  std::size_t wildcards_ = 0;
  std::string text_;
  std::string prefix_;
  std::string ending_;  // what every match ends with
};

// Has it one of * ? [ that no backslash escapes?
bool has_wildcard(std::string_view path);

}  // namespace kiln::engine
