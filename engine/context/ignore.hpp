// .dockerignore and --exclude: moby/patternmatcher's rules, compiled once.
//
// A path is decided with what its parent's decision was (patternmatcher's MatchesUsingParentResults, which BuildKit walks a
// context with): a pattern that took a directory takes everything beneath it, until a later "!" brings a path back; the
// last one counts. What a path costs does not grow with the number of plain and "**/name" patterns: those are looked up.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace kiln::engine {

class IgnoreMatcher {
 public:
  IgnoreMatcher();  // ignores nothing

  // A file's text. Errors: io::Error(context) naming the pattern.
  static IgnoreMatcher parse(std::string_view text);
  // Patterns as they are: no comments, and a leading '/' is kept (it then matches nothing).
  static IgnoreMatcher from_patterns(const std::vector<std::string>& patterns);

  // What is known about a directory when its entries are decided; a default one is the root.
  struct Directory {
    std::vector<std::uint32_t> matched;  // rules that took it, in order
    bool ignored = false;
  };
  // Decides `path` (cleaned, relative), which is in `parent`; `result`, if given, is what its own entries need.
  bool decide(const Directory& parent, std::string_view path, Directory* result) const;

  // The same without a walk.
  bool ignored(std::string_view path) const;
  // May anything below an ignored directory come back ("!...")? If not, a walk need not enter it.
  bool may_reinclude_below(std::string_view directory) const;
  bool empty() const;

 private:
  struct Compiled;
  std::shared_ptr<const Compiled> compiled_;
};

// Decisions along a walk that gives parents before their children and stays in one directory's tree until it is done.
class IgnoreWalk {
 public:
  explicit IgnoreWalk(const IgnoreMatcher& matcher) : matcher_(matcher) {}

  bool visit(std::string_view path, bool is_directory);
  bool may_return_below(std::string_view directory) const { return matcher_.may_reinclude_below(directory); }

 private:
  struct Open {
    std::string path;
    IgnoreMatcher::Directory directory;
  };
  IgnoreMatcher matcher_;
  std::vector<Open> open_;
};

// Go's path.Match on a whole relative path. Errors: io::Error(context) for a malformed pattern.
bool path_match(std::string_view pattern, std::string_view path);

}  // namespace kiln::engine
