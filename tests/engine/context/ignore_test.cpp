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
      {"a/**", "a", false},
      {"a/**b", "a/b", true},
      {"a/**b", "a/x/b", true},
      {"a/**b", "a/xb", false},
      {"**b", "ab", true},
      {"**b", "x/ab", true},
      {"**.md", "d/x.md", true},
      {"**.m*", "x.md", false},
      {"**.m*", "d/.md", true},
      {"**/a/b", "x/a/b", true},
      {"**/a/b", "a/b", true},
      {"**/a/b", "xa/b", false},
      {"**/*.tm?", "x/y.tmp", true},
      {"**/a/**", "x/a/y", true},
      {"**/a/**", "x/a", false},
      {"**/**/a", "x/y/a", true},
      {"a/*/**", "a/b", false},
      {"a/*/**", "a/b/c", true},
      {"a***", "abc", true},
      {"*/a", "x/a", true},
      {"*/a", "x/y/a", false},
      {"*/*/a", "x/y/a", true},
      {"a?c", "a/c", false},
      {"a?c",
       "a\xc3\xa9"
       "c",
       true},
      {"[\xc3\xa0-\xc3\xbf]", "\xc3\xa9", true},
      {"a[b-d]e", "ace", true},
      {"a[^b-d]e", "ace", false},
      {"a[^b-d]e", "a/e", true},
      {"a[\\]]e", "a]e", true},
      {"a[\\-x]e", "a-e", true},
      {"a\\?b", "a?b", true},
      {"a\\?b", "axb", false},
      {"a.b", "axb", false},
      {"a+(b)|{c}$", "a+(b)|{c}$", true},
      {"../a", "a", false},
      {"/../a", "a", true},
      {"a/../../b", "b", false},
      {"/", "a", false},
      {"./", "a", false},
      {"\xef\xbb\xbf"
       "a",
       "a", true},
      {" #a", "#a", true},
      {"#a", "#a", false},
      {"a\r\n!a/b\r\n", "a/b", false},
      {"*\n! keep", "keep", false},
      {"*\n!/keep", "keep", false},
      {"!a\na", "a", true},
      {"*\n!a\na", "a", true},
      {"*\n!*.md\nREADME*.md", "README-x.md", true},
      {"*\n!*.md\nREADME*.md", "x.md", false},
      {"*.md\n!README*.md", "README-x.md", false},
      {"**/x\n!a/x", "a/x/y", false},
      {"a\n!**/keep", "a/b/keep", false},
      {"a/b\n!a", "a/b/c", true},
      // A rule that would have changed nothing for a directory is not inherited from it.
      {"a\n!a/x/y\na/x", "a/x/y", false},
      {"a\n!a/x\na/x/y", "a/x/y", true},
  };
  for (const auto& item : cases)
    EXPECT_EQ(IgnoreMatcher::parse(item.patterns).ignored(item.path), item.ignored) << item.patterns << " on " << item.path;
}

TEST(Ignore, ReinclusionBelow) {
  const IgnoreMatcher matcher = IgnoreMatcher::parse("*\n!d/e/keep");
  EXPECT_TRUE(matcher.may_reinclude_below("d"));
  EXPECT_TRUE(matcher.may_reinclude_below("d/e"));
  EXPECT_FALSE(matcher.may_reinclude_below("x"));
  EXPECT_TRUE(IgnoreMatcher::parse("*\n!**/keep").may_reinclude_below("x"));
  EXPECT_TRUE(IgnoreMatcher::parse("*\n!d/k*").may_reinclude_below("d/kk"));
  EXPECT_FALSE(IgnoreMatcher::parse("*").may_reinclude_below("x"));
}

TEST(Ignore, Malformed) {
  for (const char* bad : {"!", " ! ", "[a", "[", "[]", "[]a]", "[a-]", "[-a]", "[z-a]", "a\\", "[a\\", "[^]"}) {
    EXPECT_THROW(IgnoreMatcher::parse(bad), io::Error) << bad;
  }
  EXPECT_TRUE(IgnoreMatcher::parse("# only\n\n  \n.\n").empty());
  EXPECT_FALSE(IgnoreMatcher::from_patterns({"/a"}).ignored("a"));  // --exclude keeps the '/'
  EXPECT_TRUE(IgnoreMatcher::from_patterns({"#a"}).ignored("#a"));
}

// What a walk decides is what a path alone decides.
TEST(Ignore, WalkAgreesWithPath) {
  const std::vector<std::string> names = {"a", "b", "x", "keep", "c.md"};
  const std::vector<std::string> files = {"*\n!a/b/keep",       "**/b\n!**/keep", "a\n!a/x\na/x/keep",
                                          "**/*.md\n!a/b/*.md", "a/**\n!a/b",     "x*\n!x/a\n**/b/c.md"};
  for (const auto& text : files) {
    const IgnoreMatcher matcher = IgnoreMatcher::parse(text);
    IgnoreWalk walk(matcher);
    for (const auto& first : names) {
      EXPECT_EQ(walk.visit(first, true), matcher.ignored(first)) << text << " on " << first;
      for (const auto& second : names) {
        const std::string middle = first + "/" + second;
        EXPECT_EQ(walk.visit(middle, true), matcher.ignored(middle)) << text << " on " << middle;
        for (const auto& third : names) {
          const std::string path = middle + "/" + third;
          EXPECT_EQ(walk.visit(path, false), matcher.ignored(path)) << text << " on " << path;
          EXPECT_TRUE(matcher.ignored(path) || !matcher.ignored(middle) || matcher.may_reinclude_below(middle)) << path;
        }
      }
    }
  }
}

TEST(PathMatch, AsGo) {
  struct PathCase {
    const char* pattern;
    const char* path;
    bool matches;
  };
  for (const auto& item : std::vector<PathCase>{{"abc", "abc", true},
                                                {"*", "abc", true},
                                                {"*c", "abc", true},
                                                {"a*", "ab/c", false},
                                                {"a*/b", "abc/b", true},
                                                {"a*/b", "a/c/b", false},
                                                {"a*b*c*d*e*/f", "axbxcxdxexxx/f", true},
                                                {"a*b*c*d*e*/f", "axbxcxdxe/xxx/f", false},
                                                {"a*b?c*x", "abxbbxdbxebxczzx", true},
                                                {"a*b?c*x", "abxbbxdbxebxczzy", false},
                                                {"ab[c]", "abc", true},
                                                {"ab[e-g]", "abc", false},
                                                {"ab[^e-g]", "abc", true},
                                                {"a\\*b", "a*b", true},
                                                {"a???b",
                                                 "a\xe2\x98\xba"
                                                 "b",
                                                 false},
                                                {"a?b",
                                                 "a\xe2\x98\xba"
                                                 "b",
                                                 true},
                                                {"a[^a]b",
                                                 "a\xe2\x98\xba"
                                                 "b",
                                                 true},
                                                {"[a-\xce\xb6]*", "\xce\xb1", true},
                                                {"a[^x]b", "a/b", false},
                                                {"[\\]a]", "]", true},
                                                {"[x\\-]", "-", true},
                                                {"*x", "xxx", true},
                                                {"", "", true}}) {
    EXPECT_EQ(path_match(item.pattern, item.path), item.matches) << item.pattern << " on " << item.path;
  }
  // Bounded, whatever the pattern is.
  EXPECT_FALSE(path_match("*a*a*a*a*a*a*a*a*a*a*a*a*b", std::string(2000, 'a')));
  EXPECT_FALSE(IgnoreMatcher::parse("**/a**/a**/a**/a**/*a*a*a*b").ignored(std::string(500, 'a')));
  EXPECT_TRUE(path_match("a/*", "a/b"));
  EXPECT_FALSE(path_match("a/*", "a/b/c"));
  EXPECT_TRUE(path_match("*.t[xy]t", "a.txt"));
  EXPECT_FALSE(path_match("**", "a/b"));
  EXPECT_THROW(path_match("[", "a"), io::Error);
}

}  // namespace
}  // namespace kiln::engine
