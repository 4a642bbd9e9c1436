// What is wrong with a file, where, and how it is said.
#include <gtest/gtest.h>

#include "engine/dockerfile/diagnostics.hpp"
#include "engine/dockerfile/directives.hpp"
#include "engine/dockerfile/lines.hpp"

namespace kiln::engine::dockerfile {
namespace {

struct Case {
  std::string text;
  std::string expected;  // "PLACE: reason"
};

std::string said(const std::string& text) {
  try {
    parse_dockerfile(text, "Dockerfile");
    return "good";
  } catch (const SyntaxError& error) {
    EXPECT_EQ(error.kind(), io::ErrorKind::dockerfile);
    EXPECT_TRUE(error.message().starts_with("Dockerfile:")) << error.message();
    return error.location().first_line == 0 ? error.reason() : describe(error.location()) + ": " + error.reason();
  }
}

void expect(const std::vector<Case>& cases, const std::string& before = "") {
  for (const auto& [text, expected] : cases) EXPECT_EQ(said(before + text), expected) << text.substr(0, 80);
}

TEST(Errors, Files) {
  const std::string bad_first = "invalid UTF-8: this is not a text file";
  expect({
      {"", "the Dockerfile cannot be empty"},
      {"\n \n", "file with no instructions"},
      {"# only\n", "file with no instructions"},
      {"\xef\xbb\xbf", "file with no instructions"},
      {"ARG a\n", "dockerfile contains no stages to build"},
      {"RUN x\n", "1:1-5: no build stage in current context"},
      {"ARG a\nUSER x\nFROM a\n", "2:1-6: no build stage in current context"},
      {std::string("FROM a\nRUN \0x\n", 13), "2:5: a NUL byte: this is not a text file"},
      {"FROM a\nRUN \xff\n", "2: " + bad_first},
      {"\xc0\xaf", "1: " + bad_first},
      {"# \xe0\x80\x80", "1: " + bad_first},
      {"# \xed\xa0\x80", "1: " + bad_first},
      {"# \xf0\x80\x80\x80", "1: " + bad_first},
      {"# \xf4\x90\x80\x80", "1: " + bad_first},
      {"# \xe2\x82", "1: " + bad_first},
      {"FROM a\nRUN " + std::string(65'532, 'x') + "\n", "2: dockerfile line greater than max allowed size of 65535"},
      {"FROM a\nRUN " + std::string(10'000'000, 'x'), "2: dockerfile line greater than max allowed size of 65535"},
      {"FROM a\nRUN " + std::string(65'531, 'x') + "\n", "good"},
      {"# \xf0\x9f\xa7\xb1\nFROM a", "good"},
  });
}

TEST(Errors, Directives) {
  expect({
      {"# escape=x\nFROM a\n", "1: invalid escape token 'x' does not match ` or \\"},
      {"# escape=\\\\\nFROM a\n", "1: invalid escape token '\\\\' does not match ` or \\"},
      {"# escape=`\n# escape=`\nFROM a\n", "2: only one escape parser directive can be used"},
      {"# syntax=a\n# Syntax = b\nFROM a\n", "2: only one syntax parser directive can be used"},
      {"#check=skip=all\n#check=skip=all\nFROM a\n", "2: only one check parser directive can be used"},
      {"# other=1\n# escape=x\nFROM a\n", "good"},
      {"# comment\n# escape=x\nFROM a\n", "good"},
      {"\n# escape=x\nFROM a\n", "good"},
      {"FROM a\n# escape=x\n", "good"},
      {"# escape=\nFROM a\n", "good"},
      {"#!/x\n# escape=x\nFROM a", "good"},
  });
}

TEST(Errors, Instructions) {
  const std::string two = " requires at least two arguments, but only one was provided. Destination could not be determined";
  expect(
      {
          {"CPOY x y", "2:1-4: unknown instruction: CPOY (did you mean COPY?)"},
          {"rnu x", "2:1-3: unknown instruction: rnu (did you mean RUN?)"},
          {"WHATEVER x", "2:1-8: unknown instruction: WHATEVER"},
          {"  ENVS x", "2:3-6: unknown instruction: ENVS (did you mean ENV?)"},
          {"FROM", "2:1-4: FROM requires either one or three arguments"},
          {"FROM a b", "2:6-8: FROM requires either one or three arguments"},
          {"FROM a AS", "2:6-9: FROM requires either one or three arguments"},
          {"FROM a IS b", "2:6-11: FROM requires either one or three arguments"},
          {"FROM a AS 1x", R"(2:11-12: invalid name for build stage: "1x", name can't start with a number or contain symbols)"},
          {"FROM a AS b/c", R"(2:11-13: invalid name for build stage: "b/c", name can't start with a number or contain symbols)"},
          {"FROM a AS $b", R"(2:11-12: invalid name for build stage: "$b", name can't start with a number or contain symbols)"},
          {"FROM --plat=x a", "2:6-13: unknown flag: --plat"},
          {"FROM --platfrom=x a", "2:6-17: unknown flag: --platfrom (did you mean platform?)"},
          {"COPY x", "2:6: COPY" + two},
          {"COPY", "2:1-4: COPY" + two},
          {"ADD []", "2:5-6: ADD" + two},
          {"COPY --form=x y z", "2:6-13: unknown flag: --form (did you mean from?)"},
          {"COPY --unpack x y", "2:6-13: unknown flag: --unpack"},
          {"ADD --from=x y z", "2:5-12: unknown flag: --from"},
          {"COPY --from=x --from=y a b", "2:15-22: duplicate flag specified: from"},
          {"COPY --link --link a b", "2:13-18: duplicate flag specified: link"},
          {"COPY --link= a b", "2:6-12: missing a value on flag: --link"},
          {"COPY --link=1 a b", "2:6-13: expecting boolean value for flag --link, not: 1"},
          {"COPY --from a b", "2:6-11: missing a value on flag: --from"},
          {"COPY \\\n --from a b", "3:2-7: missing a value on flag: --from"},
          {"COPY x <<EOF\nEOF", "2:6-12: COPY cannot accept a heredoc as a destination"},
          {"COPY [\"a\", 1]", "2:6-13: when using JSON array syntax, arrays must be comprised of strings only"},
          {"RUN [null]", "2:5-10: when using JSON array syntax, arrays must be comprised of strings only"},
          {"RUN [[\"a\"]]", "2:5-11: when using JSON array syntax, arrays must be comprised of strings only"},
          {"COPY https://x/y z", "2:1-18: source can't be a URL for COPY"},
          {"COPY https://x/y.git z", "2:1-22: source can't be a git ref for COPY"},
          {"COPY git@x:y z", "2:1-14: source can't be a git ref for COPY"},
          {"RUN --nework=none x", "2:5-17: unknown flag: --nework (did you mean network?)"},
          {"RUN --mount=a,\"b x", "good"},
          {R"(RUN --mount='a,"b' x)",
           R"(2:5-18: failed to parse csv mounts: parse error on line 1, column 5: extraneous or missing " in quoted-field)"},
          {R"(RUN --mount='a"b' x)",
           R"(2:5-17: failed to parse csv mounts: parse error on line 1, column 2: bare " in non-quoted field)"},
          {R"(RUN --mount='"a"b' x)",
           R"(2:5-18: failed to parse csv mounts: parse error on line 1, column 3: extraneous or missing " in quoted-field)"},
          {"RUN --mount=a,,b x", "2:5-16: invalid field '' must be a key=value pair"},
          {"RUN <<EOF\nx", "2-3: unterminated heredoc: no line \"EOF\" ends it"},
          {"RUN <<A <<B\nA\nx", "2-4: unterminated heredoc: no line \"B\" ends it"},
          {"ENV", "2:1-3: ENV requires at least one argument"},
          {"ENV a", "2:5: ENV must have two arguments"},
          {"ENV a=b c", R"(2:9: Syntax error - can't find = in "c". Must be of the form: name=value)"},
          {"ENV =b", "2:5-6: ENV names can not be blank"},
          {"ENV --x a=b", "2:5-7: unknown flag: --x"},
          {"LABEL a", "2:7: LABEL must have two arguments"},
          {"ARG", "2:1-3: ARG requires at least one argument"},
          {"ARG =a", "2:5-6: ARG names can not be blank"},
          {"CMD --x a", "2:5-7: unknown flag: --x"},
          {"USER", "2:1-4: USER requires exactly one argument"},
          {"WORKDIR", "2:1-7: WORKDIR requires exactly one argument"},
          {"STOPSIGNAL ", "2:1-11: STOPSIGNAL requires exactly one argument"},
          {"MAINTAINER", "2:1-10: MAINTAINER requires exactly one argument"},
          {"EXPOSE", "2:1-6: EXPOSE requires at least one argument"},
          {"VOLUME []", "2:1-9: VOLUME requires at least one argument"},
          {"VOLUME [\"\"]", "2:8-11: VOLUME specified can not be an empty string"},
          {"SHELL bash", "2:7-10: SHELL requires the arguments to be in JSON form"},
          {"SHELL []", "2:1-8: SHELL requires at least one argument"},
          {"SHELL", "2:1-5: SHELL requires at least one argument"},
          {"HEALTHCHECK", "2:1-11: HEALTHCHECK requires at least one argument"},
          {"HEALTHCHECK MAYBE", R"(2:13-17: Unknown type "MAYBE" in HEALTHCHECK (try CMD))"},
          {"HEALTHCHECK NONE x", "2:18: HEALTHCHECK NONE takes no arguments"},
          {"HEALTHCHECK CMD", "2:1-15: Missing command after HEALTHCHECK CMD"},
          {"HEALTHCHECK CMD []", "2:1-18: Missing command after HEALTHCHECK CMD"},
          {"HEALTHCHECK --interval=1us CMD x", R"(2:13-26: Interval "interval" cannot be less than 1ms)"},
          {"HEALTHCHECK --timeout=-3s CMD x", R"(2:13-25: Interval "timeout" cannot be less than 1ms)"},
          {"HEALTHCHECK --interval=5 CMD x", R"(2:13-24: invalid duration "5")"},
          {"HEALTHCHECK --retries=-1 CMD x", "2:13-24: --retries cannot be negative (-1)"},
          {"HEALTHCHECK --retries=x CMD x", R"(2:13-23: --retries must be a number of at least 0, not "x")"},
          {"HEALTHCHECK --retry=1 CMD x", "2:13-21: unknown flag: --retry"},
          {"ONBUILD", "2:1-7: ONBUILD requires at least one argument"},
          {"ONBUILD FROM b", "2:9-12: FROM isn't allowed as an ONBUILD trigger"},
          {"ONBUILD maintainer b", "2:9-18: MAINTAINER isn't allowed as an ONBUILD trigger"},
          {"ONBUILD ONBUILD RUN x", "2:9-21: Chaining ONBUILD via `ONBUILD ONBUILD` isn't allowed"},
          {"ONBUILD RUNN x", "2:9-14: unknown instruction: RUNN (did you mean RUN?)"},
          {"ONBUILD COPY x", "2:9-14: COPY" + two},
      },
      "FROM a\n");
}

TEST(Errors, Excerpts) {
  const std::string text = "FROM a\nENV x=1 \\\n  y\nRUN b\nRUN c\n";
  const auto message = [&text] {
    try {
      parse_dockerfile(text, "D");
    } catch (const SyntaxError& error) {
      return error.message();
    }
    return std::string();
  }();
  EXPECT_EQ(message, R"(D:3:3: Syntax error - can't find = in "y". Must be of the form: name=value
   1 |     FROM a
   2 |     ENV x=1 \
   3 | >>>   y
     |       ^
   4 |     RUN b
   5 |     RUN c)");
  EXPECT_EQ(source_excerpt("a\nb\nc\nd\n", {2, 3}), "   1 |     a\n   2 | >>> b\n   3 | >>> c\n   4 |     d");
  EXPECT_EQ(source_excerpt("a\tb\x01\r\n", {1, 1}), "   1 | >>> a b?");
  EXPECT_EQ(source_excerpt(std::string(500, 'x'), {1, 1}), "   1 | >>> " + std::string(160, 'x') + "...");
  EXPECT_EQ(source_excerpt("a", {7, 7}), "");
  EXPECT_EQ(source_excerpt("a", {}), "");
}

TEST(Lines, PlacesWarningsAndComments) {
  const Lines lines = read_lines("# syntax=x\n# one\n#\n# two\nRUN a \\\n\n# in\n  b\n# three\n\n# four\n# five\nUSER c");
  ASSERT_EQ(lines.lines.size(), 2U);
  EXPECT_EQ(lines.lines[0].comments, std::vector<std::string>{"two"});
  EXPECT_EQ(lines.lines[1].comments, (std::vector<std::string>{"four", "five"}));
  EXPECT_EQ(describe(lines.lines[0].location), "5-8");
  EXPECT_EQ(lines.lines[0].location.last_column, 3);
  const std::string_view joined = lines.lines[0].text;
  EXPECT_EQ(describe(lines.lines[0].locate(joined.substr(joined.find('b'), 1))), "8:3");
  ASSERT_EQ(lines.warnings.size(), 1U);
  EXPECT_EQ(lines.warnings[0].rule, "NoEmptyContinuation");
  EXPECT_EQ(lines.warnings[0].location.first_line, 8);
  EXPECT_EQ(describe(read_lines("\xef\xbb\xbf  FROM a").lines[0].location), "1:6-8");
}

TEST(Directives, SyntaxAndCheck) {
  const std::vector<Case> cases = {
      {"# syntax=docker/dockerfile:1\nFROM a", "docker/dockerfile:1"},
      {"# Syntax = a/b:1 --flag\nFROM a", "a/b:1"},
      {"#syntax=a", "a"},
      {"\xef\xbb\xbf# syntax=a", "a"},
      {"#!/usr/bin/env x\n# syntax=a", "a"},
      {"# escape=`\n# syntax=a", "a"},
      {"# comment\n# syntax=a", ""},
      {"\n# syntax=a", ""},
      {"// syntax=a\nfoo", "a"},
      {"// x=1\n// syntax=a", ""},
      {"{\"syntax\": \"a b\", \"x\": 1}", "a"},
      {"{\"syntax\": 1}", ""},
      {"{\"syntax\": \"a\"", ""},
      {"# syntax=a\n# syntax=b", ""},
      {"# syntax=\nFROM a", ""},
      {"", ""},
      {"#!", ""},
  };
  for (const auto& [text, expected] : cases) EXPECT_EQ(find_syntax(text), expected) << text;
  EXPECT_EQ(find_check("#!/x\n# check=skip=all;error=true\nFROM a"), "skip=all;error=true");
  EXPECT_EQ(find_check("// check=skip=all"), "");
}

TEST(Directives, Frontends) {
  for (const char* good : {"", "dockerfile.v0", "docker/dockerfile", "docker/dockerfile:1", "docker/dockerfile:1.7-labs",
                           "docker.io/docker/dockerfile:1", "docker/dockerfile:1@sha256:0123", "docker/dockerfile-upstream:master",
                           "mirror.example:5000/docker/dockerfile:1"}) {
    EXPECT_NO_THROW(check_frontend(good)) << good;
  }
  for (const char* bad :
       {"a/b:1", "docker/dockerfiles", "xdocker/dockerfile", "dockerfile", "docker/dockerfile/x:1", "nixos/nix@sha256:1"}) {
    try {
      check_frontend(bad);
      ADD_FAILURE() << bad;
    } catch (const io::Error& error) {
      EXPECT_EQ(error.kind(), io::ErrorKind::unsupported);
      EXPECT_NE(error.message().find(bad), std::string::npos) << error.message();
    }
  }
}

}  // namespace
}  // namespace kiln::engine::dockerfile
