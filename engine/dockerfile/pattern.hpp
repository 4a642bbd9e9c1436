// Patterns of ${v#p}, ${v%p} and ${v/p/r}: '*' and '?', with \*, \? and \\ as themselves.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace kiln::engine::dockerfile {

class Pattern {
 public:
  // Errors: io::Error(dockerfile) for any other backslash pair.
  explicit Pattern(std::string_view text);

  std::string drop_prefix(const std::string& value, bool longest) const;
  std::string drop_suffix(const std::string& value, bool longest) const;
  // Replaces the first match, or every one, each as long as it can be.
  std::string replace(const std::string& value, const std::string& by, bool all) const;

 private:
  enum class Kind { literal, any_one, any_run };
  struct Item {
    Kind kind;
    char value;
  };
  bool matches(std::string_view text) const;
  std::vector<Item> items_;
};

}  // namespace kiln::engine::dockerfile
