// BuildKit's build checks: a file, and the findings that it has.
#include "engine/dockerfile/lint.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <gtest/gtest.h>

namespace kiln::engine::dockerfile {
namespace {

LintOptions options_for(const Dockerfile& file, std::map<std::string, std::string> build_args = {}) {
  LintOptions options;
  options.config = lint_config(file, build_args);
  options.build_args = std::move(build_args);
  options.target_platform = {"linux", "amd64", "", ""};
  options.build_platform = {"linux", "arm64", "", ""};
  options.ignored = [](std::string_view path) { return path == "secret" || path.starts_with("out/"); };
  return options;
}

std::vector<std::string> found(const std::string& text, std::map<std::string, std::string> build_args = {}) {
  const Dockerfile file = parse_dockerfile(text, "Dockerfile");
  std::vector<std::string> all;
  for (const auto& finding : lint(file, options_for(file, std::move(build_args)))) all.push_back(describe(finding));
  return all;
}

struct Case {
  std::string text;
  std::vector<std::string> expected;
};
void expect(const std::vector<Case>& cases) {
  for (const auto& [text, expected] : cases) EXPECT_EQ(found(text), expected) << text;
}

TEST(Lint, Casing) {
  const auto casing = [](const std::string& word, const std::string& majority, int line) {
    return fmt::format("ConsistentInstructionCasing: Command '{}' should match the case of the command majority ({}) (line {})",
                       word, majority, line);
  };
  expect({
      {"FROM a\nRUN x", {}},
      {"from a\nrun x", {}},
      {"FROM scratch\ncopy a b\nCOPY a b", {casing("copy", "uppercase", 2)}},
      {"from scratch\nCOPY a b\ncopy a b", {casing("COPY", "lowercase", 2)}},
      {"From a\nRUN x", {casing("From", "uppercase", 1)}},
      {"FROM a\nrun x", {casing("run", "uppercase", 2)}},
      {"arg a\nFROM a\nRUN x", {}},
      {"FROM a AS Bad", {"StageNameCasing: Stage name 'Bad' should be lowercase (line 1)"}},
      {"FROM a as b", {"FromAsCasing: 'as' and 'FROM' keywords' casing do not match (line 1)"}},
      {"from a AS b", {"FromAsCasing: 'AS' and 'from' keywords' casing do not match (line 1)"}},
      {"from a as b\nfrom a", {}},
      {"FROM a As b", {"FromAsCasing: 'As' and 'FROM' keywords' casing do not match (line 1)"}},
  });
}

TEST(Lint, Texts) {
  expect({
      {"FROM a\nRUN x \\\n\n y\nRUN z", {"NoEmptyContinuation: Empty continuation line (line 4)"}},
      {"FROM a\nMAINTAINER x", {"MaintainerDeprecated: Maintainer instruction is deprecated in favor of using label (line 2)"}},
      {"FROM a AS b\nFROM c AS B",
       {"StageNameCasing: Stage name 'B' should be lowercase (line 2)",
        "DuplicateStageName: Duplicate stage name \"b\", stage names should be unique (line 2)"}},
      {"FROM a AS scratch", {"ReservedStageName: Stage name should not use the same name as reserved stage \"scratch\" (line 1)"}},
      {"FROM a AS context", {"ReservedStageName: Stage name should not use the same name as reserved stage \"context\" (line 1)"}},
      {"FROM a\nENV x y",
       {"LegacyKeyValueFormat: \"ENV key=value\" should be used instead of legacy \"ENV key value\" format (line 2)"}},
      {"from a\nlabel x y",
       {"LegacyKeyValueFormat: \"label key=value\" should be used instead of legacy \"label key value\" format (line 2)"}},
      {"FROM a\nENV x=y", {}},
  });
}

TEST(Lint, Commands) {
  const auto json = [](const std::string& word, int line) {
    return fmt::format(
        "JSONArgsRecommended: JSON arguments recommended for {} to prevent unintended behavior related to OS signals (line {})",
        word, line);
  };
  const auto once = [](const std::string& word, int line) {
    return fmt::format(
        "MultipleInstructionsDisallowed: Multiple {} instructions should not be used in the same stage because only the last one "
        "will be "
        "used (line {})",
        word, line);
  };
  expect({
      {"FROM a\nCMD x", {json("CMD", 2)}},
      {"FROM a\nENTRYPOINT x", {json("ENTRYPOINT", 2)}},
      {"FROM a\nCMD [\"x\"]\nENTRYPOINT [\"x\"]", {}},
      {"FROM a\nSHELL [\"x\"]\nCMD y", {}},
      {"FROM a\nCMD y\nSHELL [\"x\"]", {json("CMD", 2)}},
      {"FROM a AS b\nSHELL [\"x\"]\nFROM b\nCMD y", {}},
      {"FROM a\nRUN x", {}},
      {"FROM a\nCMD [\"x\"]\nRUN y\nCMD [\"z\"]", {once("CMD", 2)}},
      {"FROM a\nENTRYPOINT [\"x\"]\nENTRYPOINT [\"y\"]\nENTRYPOINT [\"z\"]", {once("ENTRYPOINT", 2), once("ENTRYPOINT", 3)}},
      {"FROM a\nHEALTHCHECK NONE\nHEALTHCHECK CMD x", {once("HEALTHCHECK", 2)}},
      {"FROM a AS b\nCMD [\"x\"]\nFROM b\nCMD [\"y\"]", {}},
      {"FROM a\nONBUILD CMD x", {}},
  });
}

TEST(Lint, From) {
  const std::string constant =
      "FromPlatformFlagConstDisallowed: FROM --platform flag should not use constant value \"linux/amd64\" (line 1)";
  const auto redundant = [](const std::string& word) {
    return "RedundantTargetPlatform: Setting platform to predefined " + word +
           " in FROM is redundant as this is the default behavior (line 1)";
  };
  const auto invalid = [](const std::string& word, int line) {
    return fmt::format("InvalidDefaultArgInFrom: Default value for ARG {} results in empty or invalid base image name (line {})",
                       word, line);
  };
  expect({
      {"FROM --platform=linux/amd64 a", {constant}},
      {"FROM --platform=linux/amd64 a AS b", {constant}},
      {"FROM --platform=linux/amd64 a AS b-amd64", {}},
      {"FROM --platform=linux/amd64 a AS linux", {}},
      {"FROM --platform=$BUILDPLATFORM a", {}},
      {"FROM --platform=$TARGETPLATFORM a", {redundant("$TARGETPLATFORM")}},
      {"FROM --platform=${TARGETPLATFORM} a", {redundant("${TARGETPLATFORM}")}},
      {"FROM --platform=$TARGETOS/$TARGETARCH a", {}},
      {"FROM --platform=$BULIDPLATFORM a",
       {"UndefinedArgInFrom: FROM argument 'BULIDPLATFORM' is not declared (did you mean BUILDPLATFORM?) (line 1)"}},
      {"ARG TAG=1\nFROM a:$TAG", {}},
      {"ARG TAG\nFROM a:${TAG:-1}", {}},
      {"ARG TAG\nFROM a:$TAG", {invalid("a:$TAG", 2)}},
      {"ARG B\nFROM $B", {invalid("$B", 2)}},
      {"ARG B=\nARG C=$B\nFROM ${C:-x}", {}},
      {"ARG VERSION=1\nFROM a:$VERSIN",
       {invalid("a:$VERSIN", 2), "UndefinedArgInFrom: FROM argument 'VERSIN' is not declared (did you mean VERSION?) (line 2)"}},
      {"FROM a${x:-}", {"UndefinedArgInFrom: FROM argument 'x' is not declared (line 1)"}},
      {"FROM scratch", {}},
      {"FROM UPPER", {invalid("UPPER", 1)}},
  });
  EXPECT_EQ(found("ARG B\nFROM $B", {{"B", "x"}}), std::vector<std::string>{invalid("$B", 2)});
}

TEST(Lint, Variables) {
  const auto undefined = [](const std::string& words, int line) {
    return fmt::format("UndefinedVar: Usage of undefined variable '{} (line {})", words, line);
  };
  expect({
      {"FROM scratch\nCOPY $foo .", {undefined("$foo'", 2)}},
      {"FROM scratch\nARG foo=x\nCOPY $foo .", {}},
      {"FROM scratch\nARG foo\nCOPY $foo .", {}},
      {"FROM scratch\nENV foo=x\nCOPY $foo .", {}},
      {"FROM scratch\nENV foo=x bar=$foo", {undefined("$foo'", 2)}},
      {"FROM scratch\nENV PATH=$PAHT:/x", {undefined("$PAHT' (did you mean $PATH?)", 2)}},
      {"FROM scratch\nENV DIR_BINARIES=/x\nWORKDIR $DIR_BINARYS",
       {undefined("$DIR_BINARYS' (did you mean $DIR_BINARIES?)", 3),
        "WorkdirRelativePath: Relative workdir \"\" can have unexpected results if the base image changes (line 3)"}},
      {"FROM image\nCOPY $foo .", {}},
      {"FROM image\nENV foobar=1\nCOPY $foobra .", {undefined("$foobra' (did you mean $foobar?)", 3)}},
      {"FROM scratch\nLABEL a=$b c=\"$d\" e='$f'", {undefined("$b'", 2), undefined("$d'", 2)}},
      {"FROM scratch\nUSER $a\nVOLUME $b\nSTOPSIGNAL ${c:-9}", {undefined("$a'", 2), undefined("$b'", 3), undefined("$c'", 4)}},
      {"FROM scratch\nRUN echo $foo\nCMD [\"$foo\"]\nEXPOSE $foo", {}},
      {"FROM scratch\nRUN --mount=type=bind,source=$foo,target=/x y", {undefined("$foo'", 2)}},
      {"FROM scratch\nCOPY <<a <<'b' /x/\n$foo\na\n$foo\nb", {undefined("$foo'", 2)}},
      {"FROM scratch\nARG a=$b", {undefined("$b'", 2)}},
      {"ARG g=1\nFROM scratch\nCOPY $g .", {undefined("$g'", 3)}},
      {"ARG g=1\nFROM scratch\nARG g\nCOPY $g .", {}},
      {"FROM scratch AS a\nENV x=1\nFROM a\nCOPY $x .", {}},
      {"FROM scratch\nCOPY $TARGETOS .", {undefined("$TARGETOS'", 2)}},
      {"FROM scratch\nARG TARGETOS\nCOPY $TARGETOS .", {}},
      {"FROM scratch\nCOPY $BUILDKIT_SBOM_SCAN_STAGE .", {}},
  });
  const Dockerfile file = parse_dockerfile("FROM image\nCOPY $HOME $other .", "D");
  LintOptions options = options_for(file);
  oci::ImageConfig base;
  base.env = {"HOME=/root"};
  base.platform = options.target_platform;
  options.base_config = [&base](std::size_t) { return &base; };
  const auto findings = lint(file, options);
  ASSERT_EQ(findings.size(), 1U);
  EXPECT_EQ(findings[0].message, "Usage of undefined variable '$other'");
}

TEST(Lint, PathsPortsAndSecrets) {
  const auto relative = [](const std::string& path, int line) {
    return fmt::format(
        "WorkdirRelativePath: Relative workdir \"{}\" can have unexpected results if the base image changes (line {})", path, line);
  };
  const auto secret = [](const std::string& what, int line) {
    return fmt::format("SecretsUsedInArgOrEnv: Do not use ARG or ENV instructions for sensitive data ({}) (line {})", what, line);
  };
  const auto ignored = [](const std::string& what, int line) {
    return fmt::format("CopyIgnoredFile: Attempting to {} that is excluded by .dockerignore (line {})", what, line);
  };
  expect({
      {"FROM a\nWORKDIR x", {relative("x", 2)}},
      {"FROM a\nWORKDIR /x\nWORKDIR y", {}},
      {"FROM a\nWORKDIR x\nWORKDIR y", {relative("x", 2)}},
      {"FROM a AS b\nWORKDIR /x\nFROM b\nWORKDIR y", {}},
      {"FROM a\nWORKDIR $base_has_it", {}},
      {"FROM a\nENV d=/x\nWORKDIR $d", {}},
      {"FROM a\nEXPOSE 80/TCP",
       {"ExposeProtoCasing: Defined protocol '80/TCP' in EXPOSE instruction should be lowercase (line 2)"}},
      {"FROM a\nEXPOSE 80/tcp 90", {}},
      {"FROM a\nEXPOSE 127.0.0.1:80:81",
       {"ExposeInvalidFormat: EXPOSE instruction should not define an IP address or host-port mapping, found '127.0.0.1:80:81' "
        "(line 2)"}},
      {"FROM a\nARG DB_PASSWORD", {secret("ARG \"DB_PASSWORD\"", 2)}},
      {"FROM a\nENV api_key=1 x=2", {secret("ENV \"api_key\"", 2)}},
      {"FROM a\nENV Token=1", {secret("ENV \"Token\"", 2)}},
      {"FROM a\nENV PASSWORD_FILE=1 PUBLIC_KEY=2 KEY_VERSION=3 monkey=4 PASSWORDS=5", {}},
      {"FROM a\nCOPY secret x", {ignored("Copy file \"secret\"", 2)}},
      {"FROM a\nADD ./secret out//x y", {ignored("Add file \"secret\"", 2), ignored("Add file \"out/x\"", 2)}},
      {"FROM a\nCOPY . x", {}},
      {"FROM a\nCOPY /secret x", {}},
      {"FROM a AS b\nFROM b\nCOPY --from=b secret x", {}},
      {"FROM a\nADD https://x/secret y", {}},
  });
}

TEST(Lint, Descriptions) {
  const std::string on = "# check=experimental=InvalidDefinitionDescription\n";
  const auto bad = [](const std::string& instruction, const std::string& name, int line) {
    return fmt::format("InvalidDefinitionDescription: Comment for {} should follow the format: `# {} <description>` (line {})",
                       instruction, name, line);
  };
  expect({
      {"# bad\nARG foo=a\nFROM $foo", {}},
      {on + "# bar is it\nARG foo=a\nFROM $foo", {bad("ARG", "foo", 3)}},
      {on + "# foo is it\nARG foo=a\nFROM $foo", {}},
      {on + "# bar is it\n\nARG foo=a\nFROM $foo", {}},
      {on + "# bar is it\n#\nARG foo=a\nFROM $foo", {}},
      {on + "# x\nFROM a AS base", {bad("FROM", "base", 3)}},
      {on + "# base is it\nFROM a AS base", {}},
      {on + "# x\nFROM a", {}},
      {on + "FROM a\n# x\nARG a=1 b=2", {bad("ARG", "<arg_key>", 4)}},
      {"# check=experimental=all\nFROM a\n# x\nARG a=1", {bad("ARG", "a", 4)}},
  });
}

TEST(Lint, Configuration) {
  const std::string json =
      "JSONArgsRecommended: JSON arguments recommended for CMD to prevent unintended behavior related to OS signals (line ";
  expect({
      {"# check=skip=JSONArgsRecommended\nFROM a\nCMD x", {}},
      {"# check=skip=Other, JSONArgsRecommended\nFROM a\nCMD x", {}},
      {"# check=skip=all\nFROM a as B\nCMD x", {}},
      {"# check=skip=all;experimental=all\nFROM a\n# x\nARG y\nCMD x",
       {"InvalidDefinitionDescription: Comment for ARG should follow the format: `# y <description>` (line 4)"}},
      {"FROM a\n# check=skip=JSONArgsRecommended\nCMD x", {}},
      {"FROM a\n# check=skip=all\nCMD x", {}},
      {"FROM a\n# check=skip=JSONArgsRecommended\n\nCMD x", {json + "4)"}},
      {"FROM a\n# check=skip=Other\nCMD x", {json + "3)"}},
      {"FROM a\n# note\n# check=skip=JSONArgsRecommended\n# note\nCMD x", {}},
      {"# note\n# check=skip=StageNameCasing\nFROM a AS B\nCMD x", {json + "4)"}},
      {"FROM a\n# check=skip=NoEmptyContinuation\nRUN x \\\n\n y", {}},
  });
  EXPECT_EQ(found("# check=skip=all\nFROM a\nCMD x", {{"BUILDKIT_DOCKERFILE_CHECK", ""}}).size(), 1U);
  EXPECT_EQ(found("FROM a\nCMD x", {{"BUILDKIT_DOCKERFILE_CHECK", "skip=all"}}).size(), 0U);
  for (const char* bad : {"x", "x=y", "skip=a;x", "error=maybe"}) EXPECT_THROW(parse_lint_config(bad), io::Error) << bad;
  EXPECT_TRUE(parse_lint_config(" skip=a ; error = true ").error);
  EXPECT_FALSE(parse_lint_config("error=false").error);
}

TEST(Lint, ErrorsAndStages) {
  const Dockerfile file = parse_dockerfile("FROM a AS one\nCMD x\nFROM b as Two\nCMD y", "D");
  LintOptions options = options_for(file);
  auto findings = lint(file, options);
  EXPECT_EQ(findings.size(), 4U);
  EXPECT_NO_THROW(check_findings(findings, options.config));
  options.config.error = true;
  EXPECT_NO_THROW(check_findings({}, options.config));
  try {
    check_findings(findings, options.config);
    ADD_FAILURE();
  } catch (const io::Error& error) {
    EXPECT_EQ(error.message(), "lint violation found for rules: FromAsCasing, JSONArgsRecommended, StageNameCasing");
  }
  options.wanted = [](std::size_t stage) { return stage == 1; };
  findings = lint(file, options);
  EXPECT_EQ(findings.size(), 3U);
  EXPECT_EQ(findings.back().location.first_line, 4);
}

TEST(Lint, RulesAndTheBaseImage) {
  EXPECT_EQ(lint_rules().size(), 22U);
  EXPECT_EQ(lint_rule("JSONArgsRecommended").url(), "https://docs.docker.com/go/dockerfile/rule/json-args-recommended/");
  EXPECT_EQ(lint_rule("SecretsUsedInArgOrEnv").url(), "https://docs.docker.com/go/dockerfile/rule/secrets-used-in-arg-or-env/");
  EXPECT_EQ(lint_rule("InvalidBaseImagePlatform").url(), "");
  EXPECT_THROW(lint_rule("Other"), io::Error);
  const Dockerfile file = parse_dockerfile("FROM x\nFROM --platform=linux/arm64 x AS arm64\n# check=skip=all\nFROM x", "D");
  LintOptions options = options_for(file);
  options.target_platform = oci::parse_platform("linux/amd64");
  oci::ImageConfig base;
  base.platform = oci::parse_platform("linux/arm64");
  options.base_config = [&base](std::size_t) { return &base; };
  const auto findings = lint(file, options);
  ASSERT_EQ(findings.size(), 1U);
  EXPECT_EQ(describe(findings.front()),
            "InvalidBaseImagePlatform: Base image x was pulled with platform \"linux/arm64\", expected \"linux/amd64\" for current "
            "build (line 1)");
}

}  // namespace
}  // namespace kiln::engine::dockerfile
