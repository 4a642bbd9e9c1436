// Patterns of ${v#p}, ${v%p} and ${v/p/r}: '*' and '?', with \*, \?, \\, \} and \/ as themselves. As in the regular
// expressions that BuildKit makes of them, '?' is one rune and neither matches a newline.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace kiln::engine::dockerfile {

class Pattern {
 public:
  // Errors: io::Error(dockerfile) for any other backslash pair.
  explicit Pattern(std::string_view text);
  Pattern(const Pattern&) = delete;
  Pattern& operator=(const Pattern&) = delete;

  std::string drop_prefix(const std::string& value, bool longest) const;
  std::string drop_suffix(const std::string& value, bool longest) const;
  // Replaces the first match, or every one, each as long as it can be.
  std::string replace(const std::string& value, std::string_view by, bool all) const;

 private:
  enum class Kind { literal, any_one, any_run };
  struct Item {
    Kind kind;
    std::string_view rune;  // in text_
  };
  // Where a match that starts at `at` ends: the first or the last possible place.
  std::optional<std::size_t> match(std::string_view value, std::size_t at, bool longest) const;
  std::string text_;
  std::vector<Item> items_;
};

}  // namespace kiln::engine::dockerfile
