#include "engine/mounts/mount.hpp"

#include <string>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "engine/dockerfile/expand.hpp"
#include "io/base/error.hpp"

namespace kiln::engine {
namespace {

std::string expand(const std::string& word) {
  return dockerfile::expand_word(word, [](std::string_view name) -> std::optional<std::string> {
    if (name == "DIR") return "/from/arg";
    if (name == "ID") return "seven";
    return std::nullopt;
  });
}

// One line: what a mount came to, or the error.
std::string describe(const std::string& text, const std::string& directory = "/work") {
  try {
    mount_from(text);
    std::vector<Mount> mounts = {parse_mount(text, expand)};
    place_mounts(mounts, directory);
    const Mount& mount = mounts.front();
    std::string said = fmt::format("{} {}", name_of(mount.type), mount.target);
    if (!mount.source.empty()) said += " source=" + mount.source;
    if (!mount.from.empty()) said += " from=" + mount.from;
    if (!mount.id.empty()) said += " id=" + mount.id;
    if (mount.sharing) said += fmt::format(" sharing={}", static_cast<int>(*mount.sharing));
    if (mount.mode) said += fmt::format(" mode={:o}", *mount.mode);
    if (mount.uid) said += fmt::format(" uid={}", *mount.uid);
    if (mount.gid) said += fmt::format(" gid={}", *mount.gid);
    if (mount.env) said += " env=" + *mount.env;
    if (mount.size != 0) said += fmt::format(" size={}", mount.size);
    if (mount.required) said += " required";
    return said + (mount.read_only ? " ro" : " rw");
  } catch (const io::Error& error) {
    return "error: " + error.message();
  }
}

struct Case {
  const char* text;
  const char* expected;
};

class MountGrammar : public testing::TestWithParam<Case> {};

TEST_P(MountGrammar, Reads) { EXPECT_EQ(describe(GetParam().text), GetParam().expected) << GetParam().text; }

INSTANTIATE_TEST_SUITE_P(
    Bind, MountGrammar,
    testing::Values(Case{"target=/a", "bind /a ro"}, Case{"type=bind,target=/a", "bind /a ro"},
                    Case{"TYPE=BIND,Target=/a", "bind /a ro"}, Case{"dst=/a", "bind /a ro"}, Case{"destination=/a", "bind /a ro"},
                    Case{"target=a/b", "bind /work/a/b ro"}, Case{"target=.", "bind /work ro"}, Case{"type=bind", "bind /work ro"},
                    Case{"target=/a/../b//c/", "bind /b/c ro"}, Case{"target=/a,rw", "bind /a rw"},
                    Case{"target=/a,readwrite", "bind /a rw"}, Case{"target=/a,rw=true", "bind /a rw"},
                    Case{"target=/a,rw=false", "bind /a ro"}, Case{"target=/a,ro=0", "bind /a rw"},
                    Case{"target=/a,readonly=F", "bind /a rw"}, Case{"target=/a,rw,ro", "bind /a ro"},
                    Case{"target=/a,source=x", "bind /a source=x ro"},
                    Case{"target=/a,src=x,from=build", "bind /a source=x from=build ro"}, Case{"target=$DIR", "bind /from/arg ro"},
                    Case{"target=/a,source=${DIR}/x", "bind /a source=/from/arg/x ro"},
                    Case{"\"target=/a,b\",source=x", "bind /a,b source=x ro"}, Case{"\"target=/a\"\"b c\"\"\"", "bind /ab c ro"},
                    Case{"target=/a,from=x$", "bind /a from=x$ ro"}));

INSTANTIATE_TEST_SUITE_P(
    BindErrors, MountGrammar,
    testing::Values(
        Case{"target=/", "error: invalid mount target \"/\""}, Case{"target=/a/..", "error: invalid mount target \"/\""},
        Case{"target=/a,from=$X", "error: 'from' doesn't support variable expansion, define alias stage instead"},
        Case{"target=/a,rw=maybe", "error: invalid value for rw: maybe"}, Case{"target=/a,ro=", "error: invalid value for ro: "},
        Case{"target=/a,mode=755", "error: mode not allowed for \"bind\" type mounts"},
        Case{"target=/a,uid=1", "error: uid not allowed for \"bind\" type mounts"},
        Case{"target=/a,gid=1", "error: gid not allowed for \"bind\" type mounts"},
        Case{"target=/a,size=1", "error: unexpected key 'size' for mount type 'bind'"},
        Case{"target=/a,required", "error: unexpected key 'required' for mount type 'bind'"},
        Case{"target=/a,required=true", "error: unexpected key 'required' for mount type 'bind'"},
        Case{"target=/a,sharing=locked", "error: invalid cache sharing set for bind mount"},
        Case{"target=/a,env=X", "error: unexpected key 'env' for mount type 'bind'"},
        Case{"target", "error: invalid field 'target' must be a key=value pair"},
        Case{"target=/a,", "error: invalid field '' must be a key=value pair"},
        Case{"target=/a,b", "error: invalid field 'b' must be a key=value pair"},
        Case{"tagret=/a", "error: unexpected key 'tagret' in 'tagret=/a' (did you mean target?)"},
        Case{"target=/a,nonsense=1", "error: unexpected key 'nonsense' in 'nonsense=1'"},
        Case{"type=bnid,target=/a", "error: unsupported mount type \"bnid\" (did you mean bind?)"},
        Case{"type=,target=/a", "error: unsupported mount type \"\""},
        Case{"target=\"/a", "error: failed to parse csv mounts: parse error on line 1, column 8: bare \" in non-quoted field"},
        Case{"\"target=/a",
             "error: failed to parse csv mounts: parse error on line 1, column 11: extraneous or missing \" in quoted-field"}));

INSTANTIATE_TEST_SUITE_P(
    Cache, MountGrammar,
    testing::Values(Case{"type=cache,target=/c", "cache /c id=/c rw"}, Case{"type=cache,target=c//d", "cache /work/c/d id=c/d rw"},
                    Case{"type=cache,target=/c,id=x", "cache /c id=x rw"},
                    Case{"type=cache,target=/c,id=$ID", "cache /c id=seven rw"},
                    Case{"type=cache,target=/c,ro", "cache /c id=/c ro"},
                    Case{"type=cache,target=/c,sharing=shared", "cache /c id=/c sharing=0 rw"},
                    Case{"type=cache,target=/c,sharing=PRIVATE", "cache /c id=/c sharing=1 rw"},
                    Case{"type=cache,target=/c,sharing=locked", "cache /c id=/c sharing=2 rw"},
                    Case{"type=cache,target=/c,sharing=lockd", "error: unsupported sharing value \"lockd\" (did you mean locked?)"},
                    Case{"type=cache,target=/c,mode=0700,uid=1,gid=2", "cache /c id=/c mode=700 uid=1 gid=2 rw"},
                    Case{"type=cache,target=/c,mode=8", "error: invalid value 8 for mode"},
                    Case{"type=cache,target=/c,uid=-1", "error: invalid value -1 for uid"},
                    Case{"type=cache,target=/c,gid=x", "error: invalid value x for gid"},
                    Case{"type=cache,target=/c,uid=4294967296", "error: invalid value 4294967296 for uid"},
                    Case{"type=cache,target=/c,from=base,source=/s", "cache /c source=/s from=base id=/c rw"},
                    Case{"type=cache,target=/c,size=1", "error: unexpected key 'size' for mount type 'cache'"}));

INSTANTIATE_TEST_SUITE_P(Tmpfs, MountGrammar,
                         testing::Values(Case{"type=tmpfs,target=/t", "tmpfs /t rw"},
                                         Case{"type=tmpfs,target=/t,size=100", "tmpfs /t size=100 rw"},
                                         Case{"type=tmpfs,target=/t,size=64m", "tmpfs /t size=67108864 rw"},
                                         Case{"type=tmpfs,target=/t,size=1.5GiB", "tmpfs /t size=1610612736 rw"},
                                         Case{"type=tmpfs,target=/t,size=2 kb", "tmpfs /t size=2048 rw"},
                                         Case{"type=tmpfs,target=/t,size=x", "error: invalid value for size: x"},
                                         Case{"type=tmpfs,target=/t,size=1q", "error: invalid value for size: 1q"},
                                         Case{"type=tmpfs,target=/t,size=-1", "error: invalid value for size: -1"},
                                         Case{"size=1,type=tmpfs,target=/t", "error: unexpected key 'size' for mount type 'bind'"},
                                         Case{"type=tmpfs,target=/t,mode=700", "error: mode not allowed for \"tmpfs\" type mounts"},
                                         Case{"type=tmpfs,target=/", "error: invalid mount target \"/\""}));

INSTANTIATE_TEST_SUITE_P(SecretAndSsh, MountGrammar,
                         testing::Values(Case{"type=secret,id=s", "secret /run/secrets/s id=s ro"},
                                         Case{"type=secret,id=a/b", "secret /run/secrets/b id=a/b ro"},
                                         Case{"type=secret,target=/etc/s.txt", "secret /etc/s.txt id=s.txt ro"},
                                         Case{"type=secret,target=s.txt", "secret /work/s.txt id=s.txt ro"},
                                         Case{"type=secret,source=s", "secret /run/secrets/s source=s id=s ro"},
                                         Case{"type=secret,id=s,env=TOKEN", "secret  id=s env=TOKEN ro"},
                                         Case{"type=secret,id=s,env=TOKEN,target=/t", "secret /t id=s env=TOKEN ro"},
                                         Case{"type=secret,id=s,required", "secret /run/secrets/s id=s required ro"},
                                         Case{"type=secret,id=s,required=false", "secret /run/secrets/s id=s ro"},
                                         Case{"type=secret,id=s,mode=0440,uid=5,gid=6",
                                              "secret /run/secrets/s id=s mode=440 uid=5 gid=6 ro"},
                                         Case{"type=secret,id=s,required=x", "error: invalid value for required: x"},
                                         Case{"type=secret,id=s,from=x", "error: secret mount should not have a from"},
                                         Case{"type=secret,id=s,sharing=locked", "error: secret mount should not define sharing"},
                                         Case{"type=secret", "error: invalid secret mount. one of source, target required"},
                                         Case{"type=secret,id=s,source=t", "error: both source and id can't be set"},
                                         Case{"type=ssh", "ssh /run/buildkit/ssh_agent.0 id=default ro"},
                                         Case{"type=ssh,id=x,required", "ssh /run/buildkit/ssh_agent.0 id=x required ro"},
                                         Case{"type=ssh,target=/s,mode=0666", "ssh /s id=default mode=666 ro"},
                                         Case{"type=ssh,source=x", "error: ssh does not support source"},
                                         Case{"type=ssh,sharing=shared", "error: invalid cache sharing set for ssh mount"}));

std::string placed(const std::vector<std::string>& texts) {
  std::vector<Mount> mounts;
  for (const auto& text : texts) mounts.push_back(parse_mount(text, expand));
  place_mounts(mounts, "/work");
  std::string said;
  for (const auto& mount : mounts) said += fmt::format("{} {}; ", name_of(mount.type), mount.target);
  return said;
}

TEST(PlaceMounts, TheLastOnATargetWins) {
  EXPECT_EQ(placed({"type=tmpfs,target=/a", "type=cache,target=/a"}), "cache /a; ");
  EXPECT_EQ(placed({"type=cache,target=/work/a", "type=tmpfs,target=a"}), "tmpfs /work/a; ");
}

TEST(PlaceMounts, ParentsComeFirst) {
  EXPECT_EQ(placed({"type=cache,target=/a/b/c", "type=bind,target=/a", "type=tmpfs,target=/a/b"}),
            "bind /a; tmpfs /a/b; cache /a/b/c; ");
}

TEST(PlaceMounts, AgentsAreNumbered) {
  EXPECT_EQ(placed({"type=ssh,id=a", "type=ssh,id=b"}), "ssh /run/buildkit/ssh_agent.0; ssh /run/buildkit/ssh_agent.1; ");
}

TEST(PlaceMounts, VariablesOnlyStay) {
  EXPECT_EQ(placed({"type=secret,id=a,env=A", "type=secret,id=b,env=B"}), "secret ; secret ; ");
}

TEST(MountFrom, OnlyWhatHasToBeThere) {
  EXPECT_EQ(mount_from("type=bind,from=build,target=/a"), "build");
  EXPECT_EQ(mount_from("from=build,type=tmpfs,target=/a"), "");
  EXPECT_EQ(mount_from("target=/a"), "");
}

}  // namespace
}  // namespace kiln::engine
