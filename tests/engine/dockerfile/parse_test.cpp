#include <gtest/gtest.h>

#include "engine/dockerfile/durations.hpp"
#include "engine/dockerfile/history_text.hpp"
#include "engine/dockerfile/instruction.hpp"
#include "engine/dockerfile/ports.hpp"
#include "engine/dockerfile/signals.hpp"
#include "io/base/error.hpp"

namespace kiln::engine::dockerfile {
namespace {

using RunText = dockerfile::Run;

template <class T>
T only(const std::string& line) {
  const Dockerfile file = parse_dockerfile("FROM scratch\n" + line, "Dockerfile");
  return std::get<T>(file.stages.at(0).instructions.at(0).body);
}

std::string error_of(const std::string& text) {
  try {
    parse_dockerfile(text, "Dockerfile");
  } catch (const io::Error& error) {
    return error.message();
  }
  return "";
}

TEST(Parse, LinesCommentsAndContinuations) {
  const Dockerfile file = parse_dockerfile(
      "\xef\xbb\xbf# syntax = docker/dockerfile:1 extra\n# escape=`\n# a comment\nfrom scratch AS Base\nRUN a `\n  # not here\n\n  "
      "b\r\nrun c \\\n",
      "D");
  EXPECT_EQ(file.syntax, "docker/dockerfile:1");
  EXPECT_EQ(file.escape, '`');
  ASSERT_EQ(file.stages.size(), 1U);
  EXPECT_EQ(std::get<From>(file.stages[0].from.body).name, "base");
  EXPECT_EQ(std::get<RunText>(file.stages[0].instructions.at(0).body).command.words.at(0), "a   b");
  EXPECT_EQ(file.stages[0].instructions.at(0).location.first_line, 5);
  ASSERT_EQ(file.warnings.size(), 1U);
  EXPECT_EQ(file.warnings[0].rule, "NoEmptyContinuation");
}

TEST(Parse, JsonFormsAndTheirFallBack) {
  EXPECT_TRUE(only<RunText>("RUN [\"a\", \"b c\"]").command.exec_form);
  EXPECT_FALSE(only<RunText>("RUN ['a']").command.exec_form);
  EXPECT_FALSE(only<RunText>("RUN [ -f x ] && y").command.exec_form);
  EXPECT_EQ(only<Copy>("COPY [\"a b\", \"c\"]").sources, std::vector<std::string>{"a b"});
  EXPECT_NE(error_of("FROM scratch\nRUN [\"a\", 1]").find("only string type"), std::string::npos);
}

TEST(Parse, Heredocs) {
  const RunText run = only<RunText>("RUN <<EOF\necho \\\n# no comment\nEOF\n");
  EXPECT_EQ(run.command.heredocs.at(0).body, "echo \\\n# no comment\n");
  EXPECT_TRUE(run.command.heredocs.at(0).expand);
  const RunText tabs = only<RunText>("RUN cat <<-'E F' > x\n\ta\n\tE F\n");
  EXPECT_EQ(tabs.command.heredocs.at(0).body, "a\n");
  EXPECT_FALSE(tabs.command.heredocs.at(0).expand);
  const Copy copy = only<Copy>("COPY <<a <<\"b\" x /d/\none\na\ntwo\nb\n");
  EXPECT_EQ(copy.heredocs.size(), 2U);
  EXPECT_EQ(copy.sources, std::vector<std::string>{"x"});
  EXPECT_TRUE(only<RunText>("RUN cat <<<word").command.heredocs.empty());
  EXPECT_NE(error_of("FROM scratch\nRUN <<EOF\nx").find("unterminated heredoc"), std::string::npos);
}

TEST(Parse, Flags) {
  const Copy copy = only<Copy>("COPY --from=a --chown=b:c --link --exclude=x --exclude=\"y z\" s d");
  EXPECT_EQ(copy.from, "a");
  EXPECT_TRUE(copy.link);
  EXPECT_EQ(copy.excludes, (std::vector<std::string>{"x", "y z"}));
  const RunText run = only<RunText>("RUN --mount=type=cache,target=/x,readonly --network=none y");
  EXPECT_EQ(run.mounts.at(0).options.at(2).first, "readonly");
  EXPECT_EQ(run.network, "none");
}

TEST(Parse, NamesAndValues) {
  const Env env = only<Env>("ENV a=1 b=\"x y\" c=d\\ e");
  ASSERT_EQ(env.pairs.size(), 3U);
  EXPECT_EQ(env.pairs[1].value, "\"x y\"");
  EXPECT_EQ(env.pairs[2].value, "d\\ e");
  EXPECT_EQ(only<Env>("ENV a b  c").pairs.at(0).value, "b  c");
  EXPECT_FALSE(only<Arg>("ARG A").pairs.at(0).value);
}

TEST(Parse, ErrorsNameFileLineAndWords) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"", "the Dockerfile cannot be empty"},
      {"# only\n", "file with no instructions"},
      {"ARG a\n", "contains no stages to build"},
      {"RUN x\n", "no build stage in current context"},
      {"FROM a b\n", "Dockerfile:1: FROM requires either one or three arguments"},
      {"FROM a AS 1x\n", "invalid name for build stage"},
      {"FROM a\nCPOY x y\n", "Dockerfile:2: unknown instruction: CPOY (did you mean COPY?)"},
      {"FROM a\nCOPY --form=x y z\n", "unknown flag: --form (did you mean from?)"},
      {"FROM a\nCOPY --from=x --from=y a b\n", "duplicate flag specified: from"},
      {"FROM a\nCOPY --link= a b\n", "missing a value on flag"},
      {"FROM a\nCOPY x\n", "requires at least two arguments, but only one was provided"},
      {"FROM a\nENV a\n", "must have two arguments"},
      {"FROM a\nENV a=b c\n", "can't find = in \"c\""},
      {"FROM a\nSHELL bash\n", "JSON form"},
      {"FROM a\nHEALTHCHECK MAYBE\n", "Unknown type \"maybe\""},
      {"FROM a\nHEALTHCHECK --interval=1us CMD x\n", "less than 1ms"},
      {"FROM a\nONBUILD FROM b\n", "isn't allowed as an ONBUILD trigger"},
      {"FROM a\nONBUILD ONBUILD RUN x\n", "Chaining ONBUILD"},
      {"FROM a\nCOPY https://x y\n", "can't be a URL"},
      {std::string("FROM a\nRUN \0x\n", 13), "NUL byte"},
      {"FROM a\nRUN \xff\n", "invalid UTF-8"},
      {"FROM a\nRUN " + std::string(70'000, 'x') + "\n", "maximum allowed size of 65535"},
      {"# escape=x\nFROM a\n", "invalid ESCAPE"},
      {"# escape=`\n# escape=`\nFROM a\n", "only one escape parser directive"},
  };
  for (const auto& [text, expected] : cases) {
    EXPECT_NE(error_of(text).find(expected), std::string::npos) << text.substr(0, 60) << " -> " << error_of(text);
  }
}

TEST(Values, PortsSignalsDurations) {
  EXPECT_EQ(parse_ports({"80", "90-91/UDP", "127.0.0.1:8:9"}), (std::set<std::string>{"80/tcp", "90/udp", "91/udp", "9/tcp"}));
  for (const char* bad : {"x", "70000", "1-", "2-1", "1/icmp"}) EXPECT_THROW(parse_ports({bad}), io::Error) << bad;
  for (const char* good : {"9", "SIGKILL", "term", "SIGRTMIN+3"}) EXPECT_NO_THROW(check_signal(good)) << good;
  for (const char* bad : {"0", "65", "SIGFOO", ""}) EXPECT_THROW(check_signal(bad), io::Error) << bad;
  EXPECT_EQ(parse_duration("1h2m3.5s"), std::chrono::milliseconds(3'723'500));
  EXPECT_EQ(format_duration(parse_duration("1m30s")), "1m30s");
  EXPECT_EQ(format_duration(parse_duration("1500us")), "1.5ms");
  EXPECT_EQ(format_duration(parse_duration("0")), "0s");
  for (const char* bad : {"", "1", "s", "1x"}) EXPECT_THROW(parse_duration(bad), io::Error) << bad;
}

TEST(History, BuildKitsWords) {
  EXPECT_EQ(history_of_run({"a=1", "b=2"}, {"/bin/sh", "-c", "x y"}), "RUN |2 a=1 b=2 /bin/sh -c x y # buildkit");
  EXPECT_EQ(history_of_command("CMD", {"a", "b \"c\""}), "CMD [\"a\" \"b \\\"c\\\"\"]");
  EXPECT_EQ(history_of_pairs("ARG", {{"A", std::nullopt}, {"B", "1"}}), "ARG A B=1");
  CopyHistory copy;
  copy.chown = "a:b";
  copy.sources = {"x", "<<EOF"};
  copy.destination = "/d/";
  EXPECT_EQ(history_of_copy(copy), "COPY --chown=a:b x <<EOF /d/ # buildkit");
}

}  // namespace
}  // namespace kiln::engine::dockerfile
