// .dockerignore (moby/patternmatcher's rules), compiled once.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace kiln::engine {

class IgnoreMatcher {
 public:
  IgnoreMatcher();  // ignores nothing
  ~IgnoreMatcher();
  IgnoreMatcher(IgnoreMatcher&&) noexcept;
  IgnoreMatcher& operator=(IgnoreMatcher&&) noexcept;

  // The file's text. Errors: io::Error(context) naming the pattern.
  static IgnoreMatcher parse(std::string_view text);
  static IgnoreMatcher from_patterns(const std::vector<std::string>& patterns);

  // Is this cleaned relative path left out? A pattern that matches a parent takes everything beneath it, until a later
  // "!" brings it back; the last match wins.
  bool ignored(std::string_view path) const;
  // May anything below an ignored directory come back ("!...")? If not, a walk need not enter it.
  bool may_reinclude_below(std::string_view directory) const;
  bool empty() const;

 private:
  struct Compiled;
  std::unique_ptr<Compiled> compiled_;
};

// Go's path.Match on a whole relative path: * ? [a-z] [^x] \c; * does not cross '/'. Errors: io::Error(context) for a
// malformed pattern.
bool path_match(std::string_view pattern, std::string_view path);

}  // namespace kiln::engine
