#include "engine/dockerfile/expand.hpp"

#include <map>

#include <gtest/gtest.h>

#include "io/base/error.hpp"

namespace kiln::engine::dockerfile {
namespace {

std::optional<std::string> lookup(std::string_view name) {
  static const std::map<std::string, std::string, std::less<>> values = {
      {"a", "value"}, {"empty", ""}, {"path", "/usr/lib/x.tar.gz"}, {"spaced", "one two"}, {"n", "a"}};
  const auto found = values.find(name);
  if (found == values.end()) return std::nullopt;
  return found->second;
}

TEST(Expand, Forms) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"plain", "plain"},
      {"$a", "value"},
      {"${a}", "value"},
      {"x$a-y", "xvalue-y"},
      {"$unset", ""},
      {"${unset}", ""},
      {"${unset:-w}", "w"},
      {"${empty:-w}", "w"},
      {"${empty-w}", ""},
      {"${unset-w}", "w"},
      {"${a:-w}", "value"},
      {"${a:+w}", "w"},
      {"${empty:+w}", ""},
      {"${empty+w}", "w"},
      {"${unset+w}", ""},
      {"${a:?w}", "value"},
      {"${unset:-${a}}", "value"},
      {"${unset:-${empty:-$a}}", "value"},
      {"${unset:-'}'}", "}"},
      {"${path#*/}", "usr/lib/x.tar.gz"},
      {"${path##*/}", "x.tar.gz"},
      {"${path%.*}", "/usr/lib/x.tar"},
      {"${path%%.*}", "/usr/lib/x"},
      {"${path#?usr}", "/lib/x.tar.gz"},
      {"${path/lib/bin}", "/usr/bin/x.tar.gz"},
      {"${path//r/$a}", "/usvalue/lib/x.tavalue.gz"},
      {"'$a'", "$a"},
      {"\"$a\"", "value"},
      {"\"a\\\"b\"", "a\"b"},
      {"\\$a", "$a"},
      {"\"\\$a\"", "$a"},
      {"\"\\x\"", "\\x"},
      {"a\\ b", "a b"},
      {"$", "$"},
      {"$$a", "a"},
      {"${a}${a}", "valuevalue"},
  };
  for (const auto& [word, expected] : cases) EXPECT_EQ(expand_word(word, lookup), expected) << word;
  EXPECT_EQ(expand_word("`$a", lookup, '`'), "$a");
  EXPECT_EQ(expand_word("C:\\x", lookup, '`'), "C:\\x");
}

TEST(Expand, Errors) {
  for (const char* bad :
       {"${", "${a", "${}", "${:", "${{a}", "${a:", "${a:=x}", "${unset:?gone}", "${unset?}", "'open", "\"open", "${a#\\x}"}) {
    EXPECT_THROW(expand_word(bad, lookup), io::Error) << bad;
  }
}

TEST(Expand, WordsAndHeredocs) {
  EXPECT_EQ(expand_words("$spaced \"$spaced\" x", lookup), (std::vector<std::string>{"one", "two", "one two", "x"}));
  EXPECT_EQ(expand_heredoc("a '$a' \"$a\" \\$a \\n", lookup), "a 'value' \"value\" $a \\n");
}

}  // namespace
}  // namespace kiln::engine::dockerfile
