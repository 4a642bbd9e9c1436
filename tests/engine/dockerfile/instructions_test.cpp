// One line a rule: an instruction after "FROM a", and what it is parsed to (tests/engine/dockerfile/dump.hpp).
#include <gtest/gtest.h>

#include "tests/engine/dockerfile/dump.hpp"

namespace kiln::engine::dockerfile {
namespace {

struct Case {
  std::string text;
  std::string expected;
};

std::string parsed(const std::string& text) {
  try {
    const Dockerfile file = parse_dockerfile(text, "Dockerfile");
    std::string all;
    for (const auto& instruction : file.stages.at(0).instructions) all += (all.empty() ? "" : " | ") + dump(instruction);
    return all;
  } catch (const io::Error& error) {
    return "error: " + error.message();
  }
}

void expect(const std::vector<Case>& cases, const std::string& before = "FROM a\n") {
  for (const auto& [text, expected] : cases) EXPECT_EQ(parsed(before + text), expected) << text;
}

TEST(Instructions, Continuations) {
  expect({
      {"RUN a \\\n b", R"(RUN "a  b")"},
      {"RUN a\\\nb", R"(RUN "ab")"},
      {"RUN a \\  \t\n  b", R"(RUN "a   b")"},
      {"RUN a \\\\\nUSER b", R"(RUN "a \\\\" | USER "b")"},
      {"RUN a \\\\\\\nUSER b", R"(RUN "a \\\\\\" | USER "b")"},
      {"RUN a \\\n\\\n b", R"(RUN "a  b")"},
      {"RUN a \\\n# comment\n b", R"(RUN "a  b")"},
      {"RUN a \\\n   # comment \\\n b", R"(RUN "a  b")"},
      {"RUN a \\\n\n \t\n b", R"(RUN "a  b")"},
      {"RUN a # no comment", R"(RUN "a # no comment")"},
      {"RUN a \\", R"(RUN "a")"},
      {"RUN a \\\n", R"(RUN "a")"},
      {"RUN a \\\n# end", R"(RUN "a")"},
      {"\\\nRUN a", R"(RUN "a")"},
      {"  RUN a", R"(RUN "a")"},
      {"\t\v\fRUN\ta", R"(RUN "a")"},
      {"RUN a\r\nUSER b\r\n", R"(RUN "a" | USER "b")"},
      {"RUN a \\\r\n b\r\n", R"(RUN "a  b")"},
      {"# c\n\n   # d\nUSER b", R"(USER "b")"},
      {"RUN a `\nUSER b", R"(RUN "a `" | USER "b")"},
      {"RUN\u00a0a",
       "error: Dockerfile:2:1-6: unknown instruction: RUN\u00a0a\n   1 |     FROM a\n   2 | >>> RUN\u00a0a\n     |     ^^^^^^"},
      {"USER \u00a0b\u00a0", R"(USER "b")"},
  });
  expect({{"RUN a `\n b", R"(RUN "a  b")"}, {"RUN a \\\nUSER b", R"(RUN "a \\" | USER "b")"}}, "# escape=`\nFROM a\n");
}

TEST(Instructions, Commands) {
  expect({
      {"RUN echo  hi ", R"(RUN "echo  hi")"},
      {"run echo", R"(RUN "echo")"},
      {R"(RUN ["a", "b c"])", R"(RUN ["a" "b c"])"},
      {R"(RUN   ["a"]  )", R"(RUN ["a"])"},
      {R"(RUN ["a"] trailing)", R"(RUN ["a"])"},
      {R"(RUN ['a'])", R"(RUN "['a']")"},
      {R"(RUN ["a")", R"(RUN "[\"a\"")"},
      {R"(RUN ["a",])", R"(RUN "[\"a\",]")"},
      {R"(RUN [ -f x ] && y)", R"(RUN "[ -f x ] && y")"},
      {R"(RUN [ "$a" = b ])", R"(RUN "[ \"$a\" = b ]")"},
      {R"(RUN ["]", "\"[", "\u0041"])", R"(RUN ["]" "\"[" "A"])"},
      {R"(RUN "a b")", R"(RUN "\"a b\"")"},
      {R"(RUN ["a", \
 "b"])",
       R"(RUN ["a" "b"])"},
      {"RUN", R"(RUN "")"},
      {"CMD []", "CMD []"},
      {"CMD", R"(CMD "")"},
      {"CMD a b", R"(CMD "a b")"},
      {R"(cmd ["a"])", R"(CMD ["a"])"},
      {"ENTRYPOINT []", "ENTRYPOINT []"},
      {"ENTRYPOINT a $B", R"(ENTRYPOINT "a $B")"},
      {"ENTRYPOINT", R"(ENTRYPOINT "")"},
      {R"(SHELL ["/bin/bash", "-c"])", R"(SHELL "/bin/bash" "-c")"},
      {"MAINTAINER A B <c@d>", R"(MAINTAINER "A B <c@d>")"},
      {"USER a:b", R"(USER "a:b")"},
      {"USER  a b ", R"(USER "a b")"},
      {"WORKDIR /a b", R"(WORKDIR "/a b")"},
      {"WORKDIR $x/y", R"(WORKDIR "$x/y")"},
      {"STOPSIGNAL SIGTERM", R"(STOPSIGNAL "SIGTERM")"},
      {"EXPOSE 90 80/udp", R"(EXPOSE "80/udp" "90")"},
      {"EXPOSE \"80\"", R"(EXPOSE "\"80\"")"},
      {"VOLUME /a  /b", R"(VOLUME "/a" "/b")"},
      {R"(VOLUME ["/a b"," /c "])", R"(VOLUME "/a b" "/c")"},
      {"VOLUME ['/a']", R"(VOLUME "['/a']")"},
      {"HEALTHCHECK NONE", "HEALTHCHECK none"},
      {"healthcheck none", "HEALTHCHECK none"},
      {"HEALTHCHECK CMD a b", R"(HEALTHCHECK 0s 0s 0s 0s 0 "a b")"},
      {R"(HEALTHCHECK CMD ["a","b"])", R"(HEALTHCHECK 0s 0s 0s 0s 0 ["a" "b"])"},
      {"HEALTHCHECK --interval=1m30s --timeout=5s --start-period=2s --start-interval=1ms --retries=4 CMD a",
       R"(HEALTHCHECK 1m30s 5s 2s 1ms 4 "a")"},
      {"HEALTHCHECK --interval=0 --retries=+3 cmd a", R"(HEALTHCHECK 0s 0s 0s 0s 3 "a")"},
      {"HEALTHCHECK --interval= CMD a", R"(HEALTHCHECK 0s 0s 0s 0s 0 "a")"},
      {"HEALTHCHECK CMD --interval=3s a", R"(HEALTHCHECK 0s 0s 0s 0s 0 "--interval=3s a")"},
      {"ONBUILD RUN a  ", R"(ONBUILD "RUN a  ")"},
      {"onbuild  copy a b", R"(ONBUILD "copy a b")"},
      {"ONBUILD RUN a \\\n b", R"(ONBUILD "RUN a  b")"},
      {R"(ONBUILD CMD ["a"])", R"(ONBUILD "CMD [\"a\"]")"},
  });
}

TEST(Instructions, Pairs) {
  expect({
      {"ENV a=1", R"(ENV a="1")"},
      {"ENV a=1 b=2", R"(ENV a="1" b="2")"},
      {"ENV a=", R"(ENV a="")"},
      {"ENV a=\"x y\" b='z w'", R"(ENV a="\"x y\"" b="'z w'")"},
      {"ENV a=x\\ y b=2", R"(ENV a="x\\ y" b="2")"},
      {"ENV a=x=y", R"(ENV a="x=y")"},
      {"ENV a=\"b\\\" c\" d=e", R"(ENV a="\"b\\\" c\"" d="e")"},
      {"ENV a='b\\' c='d'", R"(ENV a="'b\\'" c="'d'")"},
      {"ENV a=b\\\\", R"(ENV a="b\\\\")"},
      {"ENV a=\"open b=c", R"(ENV a="\"open b=c")"},
      {"ENV a=b\u00a0c=d", R"(ENV a="b" c="d")"},
      {"ENV a=b \\\n    c=d", R"(ENV a="b" c="d")"},
      {"ENV a b", R"(ENV a~="b")"},
      {"ENV a  b  c=d", R"(ENV a~="b  c=d")"},
      {"ENV a\tb", R"(ENV a~="b")"},
      {"ENV a \"b c\"", R"(ENV a~="\"b c\"")"},
      {"ENV \"a b\" c", R"(ENV "a~="b\" c")"},
      {"LABEL a.b=c \"d e\"=f", R"(LABEL a.b="c" "d e"="f")"},
      {"LABEL a b c", R"(LABEL a~="b c")"},
      {"ARG A", "ARG A"},
      {"ARG A=", R"(ARG A="")"},
      {"ARG A=1 B C=\"2 3\"", R"(ARG A="1" B C="\"2 3\"")"},
      {"ARG A=B=C", R"(ARG A="B=C")"},
  });
  expect({{"ENV a=x` y", R"(ENV a="x` y")"}, {"ENV a=\"C:\\\\x\" b=c", R"(ENV a="\"C:\\\\x\"" b="c")"}}, "# escape=`\nFROM a\n");
}

TEST(Instructions, FlagsOfRun) {
  expect({
      {"RUN --network=none a", R"(RUN network=none "a")"},
      {"RUN --security=insecure --network=host a", R"(RUN network=host security=insecure "a")"},
      {"RUN --device=x --device=y,required a", R"(RUN device=x device=y,required "a")"},
      {"RUN -- --network=none a", R"(RUN "--network=none a")"},
      {"RUN --network=none -- a", R"(RUN network=none "a")"},
      {"RUN - a", R"(RUN "- a")"},
      {"RUN --network=none [\"a\"]", R"(RUN network=none ["a"])"},
      {"RUN --mount=type=cache,target=/x,readonly a", R"(RUN mount{type=cache;target=/x;readonly=;} "a")"},
      {"RUN --mount=TYPE=Bind,Target=/X a", R"(RUN mount{type=Bind;target=/X;} "a")"},
      {"RUN --mount=target=/a --mount=target=/b c", R"(RUN mount{target=/a;} mount{target=/b;} "c")"},
      {R"(RUN --mount='type=bind,"target=/a,b"' c)", R"(RUN mount{type=bind;target=/a,b;} "c")"},
      {R"(RUN --mount='"target=/a""b"' c)", R"(RUN mount{target=/a"b;} "c")"},
      {R"(RUN --mount=target="/a b" c)", R"(RUN mount{target=/a b;} "c")"},
      {R"(RUN --mount=target=/a\ b c)", R"(RUN mount{target=/a b;} "c")"},
      {"RUN --mount=target=/a,env=A=B c", R"(RUN mount{target=/a;env=A=B;} "c")"},
      {"RUN --mount=type=cache,target=/a \\\n  --mount=type=cache,target=/b \\\n  c",
       R"(RUN mount{type=cache;target=/a;} mount{type=cache;target=/b;} "c")"},
  });
}

TEST(Instructions, Copies) {
  expect({
      {"COPY a b", R"(COPY "a" -> "b")"},
      {"COPY a b c/", R"(COPY "a" "b" -> "c/")"},
      {"COPY \"a b\" c", R"(COPY "\"a" "b\"" -> "c")"},
      {R"(COPY ["a b", "c"])", R"(COPY "a b" -> "c")"},
      {R"(COPY ['a', 'b'])", R"(COPY "['a'," -> "'b']")"},
      {"COPY --from=x a b", R"(COPY from=x "a" -> "b")"},
      {"COPY --chown=a:b --chmod=0755 c d", R"(COPY chown=a:b chmod=0755 "c" -> "d")"},
      {"COPY --link a b", R"(COPY link "a" -> "b")"},
      {"COPY --link=TRUE --parents a b", R"(COPY link parents "a" -> "b")"},
      {"COPY --link=false a b", R"(COPY "a" -> "b")"},
      {"COPY --exclude=x --exclude=\"y z\" a b", R"(COPY exclude=x exclude=y z "a" -> "b")"},
      {"COPY --chown= a b", R"(COPY chown= "a" -> "b")"},
      {"COPY --from=x [\"a\",\"b\"]", R"(COPY from=x "a" -> "b")"},
      {"COPY -- --a b", R"(COPY "--a" -> "b")"},
      {"ADD a b", R"(ADD "a" -> "b")"},
      {"ADD --checksum=sha256:1 https://x/y z", R"(ADD checksum=sha256:1 "https://x/y" -> "z")"},
      {"ADD --keep-git-dir --unpack git@x:y z", R"(ADD keep-git-dir unpack "git@x:y" -> "z")"},
      {"ADD --unpack=false a.tar b", R"(ADD no-unpack "a.tar" -> "b")"},
  });
}

TEST(Instructions, Heredocs) {
  expect({
      {"RUN <<EOF\na\nb\nEOF", R"(RUN "<<EOF" <<EOF="a\nb\n" script)"},
      {"RUN <<EOF\nEOF", R"(RUN "<<EOF" <<EOF="" script)"},
      {"RUN <<EOF\na\nEOF\nUSER x", R"(RUN "<<EOF" <<EOF="a\n" script | USER "x")"},
      {"RUN << EOF\na\nEOF", R"(RUN "<< EOF" <<EOF="a\n" script)"},
      {"RUN <<EOF cat\na\nEOF", R"(RUN "<<EOF cat" <<EOF="a\n")"},
      {"RUN cat <<EOF > x\na\nEOF", R"(RUN "cat <<EOF > x" <<EOF="a\n")"},
      {"RUN cat <<EOF>x\na\nEOF>x", R"(RUN "cat <<EOF>x" <<EOF>x="a\n")"},
      {"RUN cat 3<<EOF\na\nEOF", R"(RUN "cat 3<<EOF" 3<<EOF="a\n")"},
      {"RUN <<-EOF\n\ta\n\t\tb\n c\n\tEOF", R"(RUN "<<-EOF" <<-EOF="a\nb\n c\n" script)"},
      {"RUN <<EOF\n a\n EOF\nEOF", R"(RUN "<<EOF" <<EOF=" a\n EOF\n" script)"},
      {"RUN <<'EOF'\n$a\nEOF", R"(RUN "<<'EOF'" <<!EOF="$a\n" script)"},
      {"RUN <<\"EOF\"\na\nEOF", R"(RUN "<<\"EOF\"" <<!EOF="a\n" script)"},
      {"RUN <<E\"O\"F\na\nEOF", R"(RUN "<<E\"O\"F" <<!EOF="a\n" script)"},
      {"RUN <<E\\OF\na\nEOF", R"(RUN "<<E\\OF" <<EOF="a\n" script)"},
      {"RUN <<eo\\'f\na\neo'f", R"(RUN "<<eo\\'f" <<eo'f="a\n" script)"},
      {"RUN <<'E F'\na\nE F", R"(RUN "<<'E F'" <<!E F="a\n" script)"},
      {"RUN <<$EOF\na\n$EOF", R"(RUN "<<$EOF" <<$EOF="a\n" script)"},
      {"RUN cat <<A <<B\n1\nA\n2\nB", R"(RUN "cat <<A <<B" <<A="1\n" <<B="2\n")"},
      {"RUN cat <<A <<B\nB\nA\nA\nB", R"(RUN "cat <<A <<B" <<A="B\n" <<B="A\n")"},
      {"RUN <<EOF\na \\\n# no comment\n\nEOF", R"(RUN "<<EOF" <<EOF="a \\\n# no comment\n\n" script)"},
      {"RUN <<EOF\r\na\r\nEOF\r\n", R"(RUN "<<EOF" <<EOF="a\r\n" script)"},
      {"RUN a \\\n <<EOF\nb\nEOF", R"(RUN "a  <<EOF" <<EOF="b\n")"},
      {"RUN --network=none <<EOF\na\nEOF", R"(RUN network=none "<<EOF" <<EOF="a\n" script)"},
      {"RUN cat <<<EOF", R"(RUN "cat <<<EOF")"},
      {"RUN \"<<EOF\"", R"(RUN "\"<<EOF\"")"},
      {"RUN '<<EOF'", R"(RUN "'<<EOF'")"},
      {"RUN \\<<EOF", R"(RUN "\\<<EOF")"},
      {"RUN a<<EOF", R"(RUN "a<<EOF")"},
      {"RUN echo don't <<EOF", R"(RUN "echo don't <<EOF")"},
      {"RUN [\"<<EOF\"]", R"(RUN ["<<EOF"])"},
      {"RUN echo <<", R"(RUN "echo <<")"},
      {"CMD <<EOF", R"(CMD "<<EOF")"},
      {"COPY <<EOF /x\na\nEOF", R"(COPY  -> "/x" <<EOF="a\n")"},
      {"COPY <<a b <<'c' /x/\n1\na\n2\nc", R"(COPY "b" -> "/x/" <<a="1\n" <<!c="2\n")"},
      {"COPY --chmod=1 <<-a /x\n\t1\n\ta", R"(COPY chmod=1  -> "/x" <<-a="1\n")"},
      {"ADD <<a /x\n1\na", R"(ADD  -> "/x" <<a="1\n")"},
      {"COPY \"<<a\" /x", R"(COPY "\"<<a\"" -> "/x")"},
      {"ONBUILD RUN <<EOF\na\nEOF", R"(ONBUILD "RUN <<EOF\na\nEOF")"},
      {"ONBUILD COPY <<-a /x\n\t1\n\ta", R"(ONBUILD "COPY <<-a /x\n\t1\na")"},
  });
}

TEST(Instructions, Triggers) {
  const std::vector<Case> cases = {
      {"RUN <<EOF\na\nEOF", R"(RUN "<<EOF" <<EOF="a\n" script)"},
      {"RUN a  ", R"(RUN "a")"},
      {"COPY --from=x a b", R"(COPY from=x "a" -> "b")"},
      {"env a=b", R"(ENV a="b")"},
  };
  for (const auto& [text, expected] : cases) EXPECT_EQ(dump(parse_trigger(text, '\\')), expected) << text;
  EXPECT_EQ(dump(parse_trigger("RUN a `\n b", '`')), R"(RUN "a  b")");
  for (const char* bad : {"", "# x", "RUN a\nRUN b", "COPY a", "NOPE"}) EXPECT_THROW(parse_trigger(bad, '\\'), io::Error) << bad;
}

TEST(Instructions, Stages) {
  const std::vector<Case> cases = {
      {"FROM a", "FROM a"},
      {"from a", "FROM a"},
      {"FROM a AS b", "FROM a as b"},
      {"FROM a As B-c_d.9", "FROM a as b-c_d.9"},
      {"FROM --platform=linux/arm64 a", "FROM platform=linux/arm64 a"},
      {"FROM --platform=$BUILDPLATFORM a AS b", "FROM platform=$BUILDPLATFORM a as b"},
      {"FROM \"a\"", "FROM \"a\""},
      {"FROM ${a:-b}", "FROM ${a:-b}"},
      {"\xef\xbb\xbf"
       "FROM a",
       "FROM a"},
      {"#!/x\nFROM a", "FROM a"},
      {"ARG x\nFROM a", "FROM a"},
  };
  for (const auto& [text, expected] : cases) EXPECT_EQ(dump(parse_dockerfile(text, "D").stages.at(0).from), expected) << text;
  const Dockerfile file = parse_dockerfile("ARG A=1\nARG B\nFROM x AS one\nUSER u\nFROM one\nFROM y AS Two\n", "D");
  EXPECT_EQ(file.global_args.size(), 2U);
  ASSERT_EQ(file.stages.size(), 3U);
  EXPECT_EQ(file.stages[0].instructions.size(), 1U);
  EXPECT_EQ(std::get<From>(file.stages[2].from.body).name_as_written, "Two");
}

}  // namespace
}  // namespace kiln::engine::dockerfile
