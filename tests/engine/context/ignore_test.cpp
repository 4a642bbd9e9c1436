#include "engine/context/ignore.hpp"

#include <gtest/gtest.h>

#include "io/base/error.hpp"

namespace kiln::engine {
namespace {

struct Case {
  const char* patterns;
  const char* path;
  bool ignored;
};

TEST(Ignore, Patterns) {
  const std::vector<Case> cases = {
      {"a", "a", true},
      {"a", "a/b/c", true},
      {"a", "b/a", false},
      {"/a", "a", true},
      {"a/", "a/b", true},
      {"./a", "a", true},
      {"*", "a/b", true},
      {"*.md", "x.md", true},
      {"*.md", "d/x.md", false},
      {"**/*.md", "d/e/x.md", true},
      {"**/*.md", "x.md", true},
      {"**/node_modules", "a/node_modules/b/c", true},
      {"a/**", "a/b", true},
      {"a/**/b", "a/b", true},
      {"a/**/b", "a/x/y/b", true},
      {"a/*/b", "a/x/y/b", false},
      {"?", "a", true},
      {"?", "ab", false},
      {"[a-c]x", "bx", true},
      {"[^a]x", "ax", false},
      {"\\*", "*", true},
      {"\\*", "a", false},
      {"*\n!keep", "keep", false},
      {"*\n!d/keep", "d/keep", false},
      {"*\n!d/keep", "d/other", true},
      {"a\n!a/b\na/b/c", "a/b/c", true},
      {"a\n!a/b", "a/b/d", false},
      {"# comment\na", "a", true},
      {"  a  ", "a", true},
      {".", "a", false},
      {"a//b", "a/b", true},
      {"a/../b", "b", true},
      {"**", "any/thing", true},
      {"a**", "abc/d", true},
  };
  for (const auto& item : cases)
    EXPECT_EQ(IgnoreMatcher::parse(item.patterns).ignored(item.path), item.ignored) << item.patterns << " on " << item.path;
}

TEST(Ignore, ReinclusionBelow) {
  const IgnoreMatcher matcher = IgnoreMatcher::parse("*\n!d/e/keep");
  EXPECT_TRUE(matcher.may_reinclude_below("d"));
  EXPECT_TRUE(matcher.may_reinclude_below("d/e"));
  EXPECT_FALSE(matcher.may_reinclude_below("x"));
  EXPECT_THROW(IgnoreMatcher::parse("!"), io::Error);
  EXPECT_THROW(IgnoreMatcher::parse("[a"), io::Error);
}

TEST(PathMatch, AsGo) {
  EXPECT_TRUE(path_match("a/*", "a/b"));
  EXPECT_FALSE(path_match("a/*", "a/b/c"));
  EXPECT_TRUE(path_match("*.t[xy]t", "a.txt"));
  EXPECT_FALSE(path_match("**", "a/b"));
  EXPECT_THROW(path_match("[", "a"), io::Error);
}

}  // namespace
}  // namespace kiln::engine
