// Path patterns compiled once: Go's path.Match, and the same with "**" for ignore files.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace kiln::engine {

class Glob {
 public:
  // Errors: io::Error(context) naming the pattern. With `double_star`, "**" matches any number of directories.
  Glob(std::string_view pattern, bool double_star);

  bool matches(std::string_view path) const { return match(0, path, 0); }
  // Without wildcards: the text to compare with.
  bool literal() const noexcept { return literal_; }
  const std::string& text() const noexcept { return text_; }

 private:
  enum class Kind : std::uint8_t { character, any_one, any_run, any_path, any_directories, set };
  struct Item {
    Kind kind;
    char value = 0;
    std::size_t set = 0;
  };
  struct Set {
    bool negated = false;
    std::vector<std::pair<unsigned char, unsigned char>> ranges;
  };
  std::size_t parse_set(std::string_view pattern, std::size_t at);
  bool match(std::size_t item, std::string_view path, std::size_t at) const;
  bool match_one(const Item& item, char c) const;

  std::vector<Item> items_;
  std::vector<Set> sets_;
  std::string text_;
  bool literal_ = true;
};

}  // namespace kiln::engine
