#include "engine/steps/copy.hpp"

#include <gtest/gtest.h>

#include "io/base/error.hpp"

namespace kiln::engine {
namespace {

Node file(std::uint32_t mode = 0644, std::uint32_t uid = 5) {
  Node node;
  node.type = FileType::regular;
  node.mode = mode;
  node.uid = node.gid = uid;
  return node;
}

Tree source_tree() {
  Tree tree;
  tree.put("f", file());
  tree.put("g.txt", file(04755));
  Node directory;
  directory.mode = 0750;
  directory.uid = 5;
  directory.mtime = {99, 0};
  tree.put("d", directory);
  tree.put("d/x", file());
  tree.put("d/sub/y", file());
  Node link;
  link.type = FileType::symlink;
  link.link_target = "f";
  tree.put("l", link);
  tree.put("d/in", link);
  return tree;
}

struct Result {
  Tree tree;
  std::string changes;
  std::string error;
};

Result copy(std::vector<std::string> sources, const std::string& destination, Tree into = {}, CopyRules rules = {},
            std::vector<std::string> excludes = {}) {
  Result result;
  result.tree = std::move(into);
  try {
    const bool several = sources.size() > 1;
    CopyOperation operation(result.tree, std::move(rules));
    operation.copy(source_tree(), sources, destination, IgnoreMatcher::from_patterns(excludes), several);
    for (const auto& change : operation.take_changes()) result.changes += change.path + " ";
  } catch (const io::Error& error) {
    result.error = error.message();
  }
  return result;
}

TEST(Copy, Destinations) {
  Tree with_directory;
  with_directory.put("dst/old", file());
  Tree with_link;
  Node link;
  link.type = FileType::symlink;
  link.link_target = "/real/place";
  with_link.put("link", link);
  with_link.put("real/place/x", file());
  struct Case {
    std::vector<std::string> sources;
    std::string destination;
    Tree into;
    std::string changes;
  };
  const std::vector<Case> cases = {
      {{"f"}, "/a", {}, "a "},
      {{"f"}, "/a/", {}, "a a/f "},
      {{"f"}, "/a/b/c", {}, "a a/b a/b/c "},
      {{"f"}, "/dst", with_directory, "dst/f "},
      {{"f", "g.txt"}, "/a", {}, "a a/f a/g.txt "},
      {{"d"}, "/a", {}, "a a/in a/sub a/sub/y a/x "},
      {{"d"}, "/dst", with_directory, "dst dst/in dst/sub dst/sub/y dst/x "},
      {{"*.txt"}, "/a/", {}, "a a/g.txt "},
      {{"none*"}, "/a/", {}, ""},
      {{"l"}, "/a", {}, "a "},
      {{"f"}, "/link/y", with_link, "real/place/y "},
      {{"f"}, "/link", with_link, "real/place/f "},
      {{"/../f"}, "/a", {}, "a "},
      {{"."}, "/", {}, "d d/in d/sub d/sub/y d/x f g.txt l "},
  };
  for (const auto& item : cases) {
    const Result result = copy(item.sources, item.destination, item.into);
    EXPECT_EQ(result.error, "") << item.destination;
    EXPECT_EQ(result.changes, item.changes) << item.sources[0] << " to " << item.destination;
  }
}

TEST(Copy, Errors) {
  Tree into;
  into.put("file", file());
  into.put("dir/f/x", file());
  EXPECT_EQ(copy({"nothing"}, "/a").error, "\"/nothing\": not found");
  EXPECT_NE(copy({"d"}, "/file", into).error.find("cannot copy to non-directory"), std::string::npos);
  EXPECT_NE(copy({"f"}, "/file/", into).error.find("cannot copy to non-directory"), std::string::npos);
  EXPECT_NE(copy({"f"}, "/dir/", into).error.find("cannot replace to directory"), std::string::npos);
}

TEST(Copy, OwnersAndModes) {
  const Result plain = copy({"d"}, "/a");
  EXPECT_EQ(plain.tree.find("a")->mode, 0750U);
  EXPECT_EQ(plain.tree.find("a")->mtime.seconds, 99);
  EXPECT_EQ(plain.tree.find("a/x")->uid, 0U);
  CopyRules from_stage;
  from_stage.from_context = false;
  const Result kept = copy({"d"}, "/a", {}, from_stage);
  EXPECT_EQ(kept.tree.find("a")->uid, 0U);
  EXPECT_EQ(kept.tree.find("a/x")->uid, 5U);
  CopyRules changed;
  changed.owner = Owner{7, 8};
  changed.mode = ModeChange("0600");
  const Result result = copy({"g.txt"}, "/new/g", {}, changed);
  EXPECT_EQ(result.tree.find("new")->uid, 7U);
  EXPECT_EQ(result.tree.find("new")->mode, 0600U);
  EXPECT_EQ(result.tree.find("new/g")->gid, 8U);
  EXPECT_EQ(result.tree.find("new/g")->mode, 0600U);
  EXPECT_EQ(copy({"g.txt"}, "/g").tree.find("g")->mode, 04755U);
}

TEST(Copy, ExcludesAndParents) {
  EXPECT_EQ(copy({"d"}, "/a", {}, {}, {"sub"}).changes, "a a/in a/x ");
  CopyRules parents;
  parents.parents = true;
  EXPECT_EQ(copy({"d/sub/y"}, "/a/", {}, parents).changes, "a a/d a/d/sub a/d/sub/y ");
  EXPECT_EQ(copy({"d/./sub/y"}, "/a/", {}, parents).changes, "a a/sub a/sub/y ");
}

TEST(Mode, OctalAndSymbolic) {
  const auto apply = [](const char* text, std::uint32_t mode, bool directory = false) {
    return ModeChange(text).apply(mode, directory);
  };
  EXPECT_EQ(apply("755", 0), 0755U);
  EXPECT_EQ(apply("u=rwX,go=rX", 0644), 0644U);
  EXPECT_EQ(apply("u=rwX,go=rX", 0700), 0755U);
  EXPECT_EQ(apply("a+X", 0644, true), 0755U);
  EXPECT_EQ(apply("+x", 0644), 0755U);
  EXPECT_EQ(apply("a-w", 0666), 0444U);
  EXPECT_EQ(apply("u+s,g+s,+t", 0755), 07755U);
  EXPECT_EQ(apply("go=u", 0700), 0777U);
  for (const char* bad : {"", "9", "10000", "u", "x+r", "u+q"}) EXPECT_THROW(ModeChange{bad}, io::Error) << bad;
}

TEST(Users, Resolution) {
  const UserDatabase database("root:x:0:0::/root:/bin/sh\napp:x:10:20::/home/app:\nbroken\n",
                              "staff:x:50:app,other\nwheel:x:60:\n");
  EXPECT_EQ(resolve_user(database, "app").groups, std::vector<std::uint32_t>{50});
  EXPECT_EQ(resolve_user(database, "app:wheel").gid, 60U);
  EXPECT_TRUE(resolve_user(database, "app:wheel").groups.empty());
  EXPECT_EQ(resolve_user(database, "1234").gid, 0U);
  EXPECT_EQ(resolve_user(database, "1234").home, "/");
  EXPECT_EQ(resolve_user(database, "").home, "/root");
  EXPECT_THROW(resolve_user(database, "nobody"), io::Error);
  EXPECT_EQ(resolve_chown(database, "app").gid, 20U);
  EXPECT_EQ(resolve_chown(database, "77").gid, 77U);
  EXPECT_EQ(resolve_chown(database, "app:5").gid, 5U);
  EXPECT_THROW(resolve_chown(database, "app:nogroup"), io::Error);
}

}  // namespace
}  // namespace kiln::engine
