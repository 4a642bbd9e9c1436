#include "tools/command/flags.hpp"

#include <algorithm>
#include <array>
#include <set>

#include <gtest/gtest.h>

#include "io/base/error.hpp"
#include "tools/command/executor_flags.hpp"
#include "tools/command/kiln_flags.hpp"

namespace kiln::tools {
namespace {

using enum ValueKind;
constexpr auto table = std::to_array<Flag>({
    {"name", 'n', text, "nobody", "a name"},
    {"each", 'e', list, "", "one element each time"},
    {"many", 'm', slice, "", "several elements each time"},
    {"count", 'c', integer, "-1", "a number"},
    {"all", 'a', boolean, "false", "a switch"},
    {"big", 'b', boolean, "true", "a switch that is on"},
    {"new-name", 0, text, "", "renamed", FlagState::honoured, "newName"},
    {"gone", 0, boolean, "false", "it is gone", FlagState::refused},
    {"dull", 0, text, "", "never needed", FlagState::needless},
});

using Texts = std::vector<std::string>;

struct Parsed {
  Texts arguments;
  std::string flag;
  Texts values;
};

TEST(Flags, Syntax) {
  const auto cases = std::to_array<Parsed>({
      {{"--name", "x"}, "name", {"x"}},
      {{"--name=x"}, "name", {"x"}},
      {{"--name="}, "name", {""}},
      {{"--name", "--all"}, "name", {"--all"}},
      {{"--name=a=b"}, "name", {"a=b"}},
      {{"-n", "x"}, "name", {"x"}},
      {{"-nx"}, "name", {"x"}},
      {{"-n=x"}, "name", {"x"}},
      {{"-anx"}, "name", {"x"}},
      {{"-an", "x"}, "name", {"x"}},
      {{"--name=a", "--name=b"}, "name", {"b"}},
      {{}, "name", {"nobody"}},
      {{"--each", "a,b", "-e", "c"}, "each", {"a,b", "c"}},
      {{"--each="}, "each", {""}},
      {{"--many", "a,b", "-mc"}, "many", {"a", "b", "c"}},
      {{"--many", "\"a,b\",c,\"d\"\"e\""}, "many", {"a,b", "c", "d\"e"}},
      {{"--many="}, "many", {}},
      {{"--newName=x"}, "new-name", {"x"}},
      {{"--gone=false", "--dull=x"}, "dull", {"x"}},
  });
  for (const auto& each : cases) {
    const ParsedFlags flags = parse_flags(table, each.arguments);
    const bool many = each.flag == "each" || each.flag == "many";
    EXPECT_EQ(many ? flags.list(each.flag) : Texts{flags.text(each.flag)}, each.values) << testing::PrintToString(each.arguments);
  }
}

TEST(Flags, Switches) {
  EXPECT_TRUE(parse_flags(table, {"-a"}).boolean("all"));
  EXPECT_TRUE(parse_flags(table, {"--all=T"}).boolean("all"));
  EXPECT_FALSE(parse_flags(table, {"--all", "--all=0"}).boolean("all"));
  EXPECT_FALSE(parse_flags(table, {"-ab=false"}).boolean("big"));
  EXPECT_TRUE(parse_flags(table, {}).boolean("big"));
  // A switch does not take the next argument.
  EXPECT_EQ(parse_flags(table, {"--all", "false"}).arguments, Texts{"false"});
  EXPECT_TRUE(parse_flags(table, {"--help"}).help);
  EXPECT_TRUE(parse_flags(table, {"-ah"}).help);
}

TEST(Flags, NumbersArgumentsAndWarnings) {
  EXPECT_EQ(parse_flags(table, {}).integer("count"), -1);
  EXPECT_EQ(parse_flags(table, {"-c9"}).integer("count"), 9);
  EXPECT_EQ(parse_flags(table, {"one", "-a", "two", "--", "--three"}).arguments, (Texts{"one", "two", "--three"}));
  EXPECT_EQ(parse_flags(table, {"-"}).arguments, Texts{"-"});
  EXPECT_EQ(parse_flags(table, {"--newName=x"}).warnings, Texts{"--newName is deprecated: it is --new-name now"});
  EXPECT_TRUE(parse_flags(table, {"--new-name=x"}).warnings.empty());
  EXPECT_TRUE(parse_flags(table, {"--all=false"}).given("all"));
  EXPECT_FALSE(parse_flags(table, {}).given("all"));
}

TEST(Flags, Errors) {
  const std::vector<std::pair<Texts, std::string>> cases = {
      {{"--nmae=x"}, "unknown flag: --nmae (did you mean --name?)"},
      {{"--newNme=x"}, "unknown flag: --newNme (did you mean --new-name?)"},
      {{"--cou"}, "unknown flag: --cou (did you mean --count?)"},
      {{"--ne"}, "unknown flag: --ne (did you mean --new-name?)"},
      {{"--quite-another"}, "unknown flag: --quite-another; --help lists those that there are"},
      {{"-x"}, "unknown shorthand flag: 'x' in -x"},
      {{"-axb"}, "unknown shorthand flag: 'x' in -axb"},
      {{"--name"}, "flag needs an argument: --name"},
      {{"-n"}, "flag needs an argument: -n"},
      {{"---name"}, "bad flag syntax: ---name"},
      {{"--=x"}, "bad flag syntax: --=x"},
      {{"--count=many"}, "--count=many: it is a whole number"},
      {{"--all=maybe"}, "--all=maybe: it is true or false"},
      {{"--gone"}, "--gone=true: it is gone"},
      {{"--many=\"a"}, "--many=\"a: parse error on line 1, column 3: extraneous or missing \" in quoted-field"},
  };
  for (const auto& [arguments, message] : cases) {
    try {
      parse_flags(table, arguments);
      ADD_FAILURE() << "taken: " << testing::PrintToString(arguments);
    } catch (const io::Error& error) {
      EXPECT_EQ(error.message(), message);
    }
  }
}

// What is true of every table.
void expect_sound(std::span<const Flag> flags) {
  std::set<std::string_view> names;
  std::set<char> short_names;
  for (const auto& flag : flags) {
    EXPECT_TRUE(names.insert(flag.name).second) << flag.name;
    if (!flag.old_name.empty()) EXPECT_TRUE(names.insert(flag.old_name).second) << flag.old_name;
    if (flag.short_name) EXPECT_TRUE(short_names.insert(flag.short_name).second) << flag.name;
    EXPECT_FALSE(flag.help.empty()) << flag.name;
    if (flag.kind == boolean) EXPECT_NO_THROW(parse_boolean(flag.name, flag.default_value)) << flag.name;
    EXPECT_NE(flag_help(flags).find(flag.hidden ? "" : "--" + std::string(flag.name)), std::string::npos);
  }
}

TEST(Flags, Tables) {
  expect_sound(executor_flags());
  expect_sound(build_flags());
}

// The executor's flags, short forms and defaults in both Kanikos.
TEST(Flags, EveryFlagOfKanikoIsKnown) {
  const std::vector<std::string> switches = {"cache",
                                             "cache-copy-layers",
                                             "cache-run-layers",
                                             "cleanup",
                                             "compressed-caching",
                                             "dryrun",
                                             "force",
                                             "force-build-metadata",
                                             "ignore-var-run",
                                             "whitelist-var-run",
                                             "insecure",
                                             "insecure-pull",
                                             "log-timestamp",
                                             "materialize",
                                             "no-push",
                                             "no-push-cache",
                                             "pre-cleanup",
                                             "preserve-context",
                                             "push-ignore-immutable-tag-errors",
                                             "reproducible",
                                             "single-snapshot",
                                             "skip-default-registry-fallback",
                                             "skip-push-permission-check",
                                             "skip-tls-verify",
                                             "skip-tls-verify-pull",
                                             "skip-unused-stages",
                                             "use-new-run"};
  const std::vector<std::string> others = {"annotation",
                                           "azure-container-registry-config",
                                           "bucket",
                                           "build-arg",
                                           "cache-dir",
                                           "cache-repo",
                                           "cache-ttl",
                                           "compression",
                                           "compression-level",
                                           "context",
                                           "context-sub-path",
                                           "credential-helpers",
                                           "custom-platform",
                                           "customPlatform",
                                           "destination",
                                           "digest-file",
                                           "dockerfile",
                                           "git",
                                           "ignore-path",
                                           "image-download-retry",
                                           "image-format",
                                           "image-fs-extract-retry",
                                           "image-name-tag-with-digest-file",
                                           "image-name-with-digest-file",
                                           "insecure-registry",
                                           "kaniko-dir",
                                           "label",
                                           "log-format",
                                           "oci-layout-path",
                                           "push-retry",
                                           "registry-certificate",
                                           "registry-client-cert",
                                           "registry-map",
                                           "registry-mirror",
                                           "secret",
                                           "skip-tls-verify-registry",
                                           "snapshot-mode",
                                           "snapshotMode",
                                           "tar-path",
                                           "tarPath",
                                           "target",
                                           "verbosity"};
  const auto known = [](const std::string& name, bool is_switch) {
    for (const auto& flag : executor_flags()) {
      if (flag.name == name || flag.old_name == name) return (flag.kind == boolean) == is_switch;
    }
    return false;
  };
  for (const auto& name : switches) EXPECT_TRUE(known(name, true)) << name;
  for (const auto& name : others) EXPECT_TRUE(known(name, false)) << name;
  const std::vector<std::pair<char, std::string_view>> short_names = {
      {'b', "bucket"}, {'c', "context"}, {'d', "destination"}, {'f', "dockerfile"}, {'v', "verbosity"}};
  for (const auto& flag : executor_flags()) {
    if (flag.short_name)
      EXPECT_NE(std::ranges::find(short_names, std::pair(flag.short_name, flag.name)), short_names.end()) << flag.name;
  }
}

TEST(Environment, SwitchesOfTheFork) {
  EXPECT_TRUE(check_environment({"FF_KANIKO_COPY_AS_ROOT=true", "FF_KANIKO_RUN_VIA_TINI=0", "KANIKO_DIR=/x", "PATH=/bin"}).empty());
  EXPECT_TRUE(check_environment({"KANIKO_SERVICE_HOST=10.0.0.1", "KANIKO_REG_EXAMPLE_COM_USER=x"}).empty());
  const auto warnings = check_environment({"FF_KANIKO_COPY_AS_ROTO=1"});
  ASSERT_EQ(warnings.size(), 1U);
  EXPECT_NE(warnings[0].find("did you mean FF_KANIKO_COPY_AS_ROOT?"), std::string::npos);
  EXPECT_THROW(check_environment({"FF_KANIKO_COPY_AS_ROOT=0"}), io::Error);
}

}  // namespace
}  // namespace kiln::tools
