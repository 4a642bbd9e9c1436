#include "engine/dockerfile/expand.hpp"

#include <map>

#include <gtest/gtest.h>

#include "engine/dockerfile/csv.hpp"
#include "engine/dockerfile/pattern.hpp"
#include "engine/dockerfile/suggest.hpp"
#include "engine/dockerfile/text.hpp"
#include "io/base/error.hpp"

namespace kiln::engine::dockerfile {
namespace {

std::optional<std::string> lookup(std::string_view name) {
  static const std::map<std::string, std::string, std::less<>> values = {
      {"a", "value"},        {"empty", ""},   {"path", "/usr/lib/x.tar.gz"},
      {"spaced", "one two"}, {"n", "a"},      {"star", "a*b?c\\d"},
      {"lines", "a\nb"},     {"uni", "äöü"},  {"brace", "x}y/z"},
      {"1", "first"},        {"A_1", "under"}};
  const auto found = values.find(name);
  if (found == values.end()) return std::nullopt;
  return found->second;
}

using Cases = std::vector<std::pair<std::string, std::string>>;

void expect(const Cases& cases, char escape = '\\') {
  for (const auto& [word, expected] : cases) {
    std::string result;
    try {
      result = expand_word(word, lookup, escape);
    } catch (const io::Error& error) {
      result = "error: " + error.message();
    }
    EXPECT_EQ(result, expected) << word;
  }
}

TEST(Expand, Names) {
  expect({{"plain", "plain"},
          {"$a", "value"},
          {"${a}", "value"},
          {"x$a-y", "xvalue-y"},
          {"$unset", ""},
          {"${unset}", ""},
          {"$a$a", "valuevalue"},
          {"${a}${a}", "valuevalue"},
          {"$", "$"},
          {"a$", "a$"},
          {"$ a", "$ a"},
          {"$$a", "a"},
          {"$.a", "$.a"},
          {"$/a", "$/a"},
          {"$A_1.x", "under.x"},
          {"$1", "first"},
          {"$1x", "firstx"},
          {"$12", ""},
          {"$0", ""},
          {"$@$*$#$?$-$!", ""},
          {"${1}", "first"},
          {"${@}", ""},
          {"$ab", ""},
          {"${A_1}", "under"},
          {"", ""}});
}

TEST(Expand, Defaults) {
  expect({{"${unset:-w}", "w"},
          {"${empty:-w}", "w"},
          {"${empty-w}", ""},
          {"${unset-w}", "w"},
          {"${a:-w}", "value"},
          {"${a-w}", "value"},
          {"${a:+w}", "w"},
          {"${a+w}", "w"},
          {"${empty:+w}", ""},
          {"${empty+w}", "w"},
          {"${unset+w}", ""},
          {"${unset:+w}", ""},
          {"${a:?w}", "value"},
          {"${a?w}", "value"},
          {"${empty?w}", ""},
          {"${unset:-}", ""},
          {"${unset:-${a}}", "value"},
          {"${unset:-${empty:-$a}}", "value"},
          {"${unset:-'}'}", "}"},
          {"${unset:-\"}\"}", "}"},
          {"${unset:-\\}}", "}"},
          {"${unset:-a b}", "a b"},
          {"${unset:-$a:$n}", "value:a"},
          {"${a:+$n}", "a"},
          {"${unset:-'$a'}", "$a"},
          {"\"${unset:-w}\"", "w"},
          {"${unset--}", "-"},
          {"${unset:-:-}", ":-"}});
}

TEST(Expand, Trims) {
  expect({{"${path#*/}", "usr/lib/x.tar.gz"},
          {"${path##*/}", "x.tar.gz"},
          {"${path%.*}", "/usr/lib/x.tar"},
          {"${path%%.*}", "/usr/lib/x"},
          {"${path#?usr}", "/lib/x.tar.gz"},
          {"${path#usr}", "/usr/lib/x.tar.gz"},
          {"${path%.gz}", "/usr/lib/x.tar"},
          {"${path%gz.}", "/usr/lib/x.tar.gz"},
          {"${a#$n}", "value"},
          {"${a#}", "value"},
          {"${a%}", "value"},
          {"${a##*}", ""},
          {"${a%%*}", ""},
          {"${a#*}", "value"},
          {"${a%*}", "value"},
          {"${a#va?}", "ue"},
          {"${a%?e}", "val"},
          {"${a#'va'}", "lue"},
          {"${a#\"va\"}", "lue"},
          {"${star#a\\*}", "b?c\\d"},
          {"${star#a\\*b\\?c\\\\}", "d"},
          {"${star#a?}", "b?c\\d"},
          {"${brace#x\\}}", "y/z"},
          {"${brace%\\/z}", "x}y"},
          {"${lines#*b}", "a\nb"},
          {"${lines#a?}", "a\nb"},
          {"${uni#?}", "öü"},
          {"${uni%?}", "äö"},
          {"${uni##?*}", ""},
          {"${unset#x}", ""},
          {"${empty%x}", ""},
          {"${a#[v]}", "value"},
          {"${path#/${unset:-usr}}", "/lib/x.tar.gz"}});
}

TEST(Expand, Replacements) {
  expect({{"${path/lib/bin}", "/usr/bin/x.tar.gz"},
          {"${path//r/$a}", "/usvalue/lib/x.tavalue.gz"},
          {"${path/r/R}", "/usR/lib/x.tar.gz"},
          {"${a/x/y}", "value"},
          {"${a/*/y}", "y"},
          {"${a//*/y}", "y"},
          {"${a/l*/X}", "vaX"},
          {"${a/?l/X}", "vXue"},
          {"${a//?/x}", "xxxxx"},
          {"${empty/*/y}", "y"},
          {"${empty/?/y}", ""},
          {"${brace/\\//+}", "x}y+z"},
          {"${brace/\\}/+}", "x+y/z"},
          {"${a/a/}", "vlue"},
          {"${a//a}", "error: failed to process \"${a//a}\": syntax error: missing '/' in ${}"},
          {"${a///-}", "-v-a-l-u-e-"},
          {"${uni/?/x}", "xöü"},
          {"${lines//?/x}", "x\nx"},
          {"${lines//*/x}", "x\nx"},
          {"${a/a/${n}b}", "vablue"},
          {"${a/a/\\x}", "v\\xlue"},
          {"${unset/a/b}", ""},
          {"${a/'a'/\"b\"}", "vblue"},
          {"${a//[al]/x}", "value"},
          {"${path//\\//\\}}", "\\}usr\\}lib\\}x.tar.gz"}});
}

TEST(Expand, Quotes) {
  expect({{"'$a'", "$a"},       {"\"$a\"", "value"},    {"\"a\\\"b\"", "a\"b"},
          {"\\$a", "$a"},       {"\"\\$a\"", "$a"},     {"\"\\x\"", "\\x"},
          {"\"\\\\x\"", "\\x"}, {"a\\ b", "a b"},       {"'a\\b'", "a\\b"},
          {"\\'a", "'a"},       {"\\\\", "\\"},         {"a\\", "a"},
          {"''", ""},           {"\"\"", ""},           {"'\"'", "\""},
          {"\"'\"", "'"},       {"a'b'\"c\"d", "abcd"}, {"\"${a}\"'${a}'", "value${a}"},
          {"\\ü", "ü"},         {"`a`", "`a`"}});
  expect({{"`$a", "$a"}, {"C:\\x", "C:\\x"}, {"\"`\"\"", "\""}, {"\"\\\"", "\\"}, {"`", ""}, {"${unset:-`}}", "}"}}, '`');
}

TEST(Expand, Errors) {
  const auto failed = [](const std::string& word, const std::string& why) {
    return std::pair(word, "error: failed to process " + go_quoted(word) + ": " + why);
  };
  expect({failed("${", "syntax error: missing '}'"),
          failed("${a", "syntax error: missing '}'"),
          failed("${a:", "syntax error: missing '}'"),
          failed("${a:-x", "syntax error: missing '}'"),
          failed("${a:-${n}", "syntax error: missing '}'"),
          failed("${a#x", "syntax error: missing '}'"),
          failed("${a/x", "syntax error: missing '/' in ${}"),
          failed("${a/x/y", "syntax error: missing '}'"),
          failed("${}", "syntax error: bad substitution"),
          failed("${:", "syntax error: bad substitution"),
          failed("${{a}", "syntax error: bad substitution"),
          failed("${a:=x}", "unsupported modifier (:=) in substitution"),
          failed("${a:#x}", "unsupported modifier (:#) in substitution"),
          failed("${a:%x}", "unsupported modifier (:%) in substitution"),
          failed("${a^}", "unsupported modifier (^) in substitution"),
          failed("${a.b}", "unsupported modifier (.) in substitution"),
          failed("${.}", "unsupported modifier (.) in substitution"),
          failed("${unset:?gone}", "unset: gone"),
          failed("${unset?}", "unset: is not allowed to be unset"),
          failed("${unset:?}", "unset: is not allowed to be unset"),
          failed("${empty:?}", "empty: is not allowed to be empty"),
          failed("${empty:?$a}", "empty: value"),
          failed("'open", "unexpected end of statement while looking for matching single-quote"),
          failed("\"open", "unexpected end of statement while looking for matching double-quote"),
          failed("\"open\\", "unexpected end of statement while looking for matching double-quote"),
          failed("\"${a", "syntax error: missing '}'"),
          failed("${a#\\x}", "invalid pattern (\\x) in substitution: invalid escape '\\x'"),
          failed("${a/\\x/y}", "invalid pattern (\\x) in substitution: invalid escape '\\x'")});
  std::string deep;
  for (int i = 0; i < 1000; ++i) deep += "${unset:-";
  EXPECT_THROW(expand_word(deep, lookup), io::Error);
}

TEST(Expand, Words) {
  const std::vector<std::pair<std::string, std::vector<std::string>>> cases = {
      {"$spaced \"$spaced\" x", {"one", "two", "one two", "x"}},
      {"a$spaced.b", {"aone", "two.b"}},
      {"'' \"\" $empty", {}},
      {"a\\ b c", {"a b", "c"}},
      {"  a\t\nb ", {"a", "b"}},
      {"${unset:-x y}", {"x", "y"}},
      {"a\u00a0b", {"a", "b"}},
      {"80 $n/udp", {"80", "a/udp"}},
  };
  for (const auto& [word, expected] : cases) EXPECT_EQ(expand_words(word, lookup), expected) << word;
}

TEST(Expand, HeredocBodies) {
  const Cases cases = {{"a '$a' \"$a\"\n", "a 'value' \"value\"\n"},
                       {"\\$a", "$a"},
                       {"\\\n", "\n"},
                       {"\\\\\n", "\\\n"},
                       {"it's\n", "it's\n"},
                       {"a\\nb", "anb"},
                       {"${a:-'x'}", "value"},
                       {"${unset:-'x'}", "'x'"},
                       {"$", "$"},
                       {"100%\n", "100%\n"},
                       {"a\\", "a"}};
  for (const auto& [body, expected] : cases) EXPECT_EQ(expand_heredoc(body, lookup), expected) << body;
}

TEST(Pattern, IsNeverExponential) {
  const std::string value(20'000, 'a');
  std::string stars;
  for (int i = 0; i < 50; ++i) stars += "*a";
  EXPECT_EQ(Pattern(stars + "b").drop_prefix(value, true), value);
}

TEST(Csv, Records) {
  using Fields = std::vector<std::string>;
  const std::vector<std::pair<std::string, Fields>> cases = {
      {"a,b", {"a", "b"}},       {"a", {"a"}},    {"", {}},
      {"a,", {"a", ""}},         {",", {"", ""}}, {"\"a,b\",c", {"a,b", "c"}},
      {"\"a\"\"b\"", {"a\"b"}},  {"\"\"", {""}},  {" a , b ", {" a ", " b "}},
      {"a=\\,b", {"a=\\", "b"}},
  };
  for (const auto& [text, expected] : cases) EXPECT_EQ(parse_csv_record(text), expected) << text;
  for (const char* bad : {"a\"b", "\"a", "\"a\"b", "a,\"b", "\"\"\""}) EXPECT_THROW(parse_csv_record(bad), io::Error) << bad;
}

TEST(Text, GoRules) {
  EXPECT_EQ(trim(" \t\u00a0\u3000x y\u2003\n\u0085"), "x y");
  EXPECT_EQ(trim(""), "");
  EXPECT_EQ(trim("\u00a0"), "");
  EXPECT_EQ(trim("ü"), "ü");
  EXPECT_EQ(go_quoted("a\"\\\n\x01\xff\u00a0ü"), "\"a\\\"\\\\\\n\\x01\\xff\\u00a0ü\"");
  EXPECT_TRUE(is_utf8("aü€🧱"));
  EXPECT_EQ(parse_boolean("T"), true);
  EXPECT_EQ(parse_boolean("False"), false);
  EXPECT_EQ(parse_boolean("tRUE"), std::nullopt);
  EXPECT_EQ(parse_boolean(""), std::nullopt);
  for (const char* bad : {"\x80", "\xc0\x80", "\xed\xa0\x80", "\xf5\x80\x80\x80", "\xe2\x82"}) EXPECT_FALSE(is_utf8(bad)) << bad;
}

TEST(Suggest, TheNearest) {
  const std::vector<std::string> words = {"COPY", "CMD", "RUN", "ENTRYPOINT"};
  const Cases cases = {{"CPOY", " (did you mean COPY?)"},
                       {"COPY", ""},
                       {"RN", " (did you mean RUN?)"},
                       {"ENTRYPONT", " (did you mean ENTRYPOINT?)"},
                       {"FOO", ""},
                       {"", ""},
                       {"ENTRY", ""}};
  for (const auto& [word, expected] : cases) EXPECT_EQ(did_you_mean(word, words), expected) << word;
}

}  // namespace
}  // namespace kiln::engine::dockerfile
