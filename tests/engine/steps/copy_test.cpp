#include "engine/steps/copy.hpp"

#include <tuple>

#include <gtest/gtest.h>

#include "engine/steps/archive.hpp"
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

Node link_to(const char* target) {
  Node node;
  node.type = FileType::symlink;
  node.link_target = target;
  return node;
}

Node directory(std::uint32_t mode = 0750, std::uint32_t owner = 5, std::int64_t mtime = 99) {
  Node node;
  node.mode = mode;
  node.uid = node.gid = owner;
  node.mtime = {mtime, 0};
  return node;
}

Tree source_tree() {
  Tree tree;
  tree.put("f", file());
  tree.put("g.txt", file(04755));
  tree.put("h.txt", file());
  tree.put("d", directory());
  tree.put("d/x", file());
  tree.put("d/sub", directory(0700, 6, 98));
  tree.put("d/sub/y", file());
  tree.put("d/in", link_to("f"));
  tree.put("e/sub/z.c", file());
  tree.put("e/deep/sub/w.c", file());
  tree.put("l", link_to("f"));
  tree.put("ld", link_to("/d"));
  tree.put("out", link_to("../../f"));
  tree.put("st*r", file());
  return tree;
}

// What was there before: directories, files, links of every kind.
Tree destination_tree() {
  Tree tree;
  tree.put("dst", directory(0711, 9, 1));
  tree.put("dst/old", file());
  tree.put("file", file());
  tree.put("dir/f/x", file());
  tree.put("dir/sub", file());
  tree.put("link", link_to("/real/place"));
  tree.put("real/place/x", file());
  tree.put("tofile", link_to("file"));
  tree.put("dangling", link_to("nowhere/there"));
  tree.put("up", link_to("../../dst"));
  tree.put("has/f", link_to("/file"));
  tree.put("has/sub", link_to("/dst"));
  tree.put("loop", link_to("loop"));
  return tree;
}

struct Result {
  Tree tree;
  std::string changes;
  std::string error;
};

Result copy(std::vector<std::string> sources, const std::string& destination, Tree into = {}, CopyRules rules = {},
            std::vector<std::string> excludes = {}, bool parents = false) {
  Result result;
  result.tree = std::move(into);
  try {
    CopyOperation operation(result.tree, std::move(rules));
    const IgnoreMatcher matcher = IgnoreMatcher::from_patterns(excludes);
    for (const auto& source : sources) {
      if (parents) {
        operation.copy_with_parents(source_tree(), source, destination, matcher);
      } else {
        operation.copy(source_tree(), source, destination, matcher);
      }
    }
    for (const auto& change : operation.take_changes()) result.changes += change.path + " ";
  } catch (const io::Error& error) {
    result.error = error.message();
  }
  return result;
}

TEST(Copy, SourcesAndDestinations) {
  struct Case {
    std::vector<std::string> sources;
    std::string destination;
    std::string changes;
  };
  const std::vector<Case> cases = {
      // destinations that are not there
      {{"f"}, "/a", "a "},
      {{"f"}, "/a/", "a a/f "},
      {{"f"}, "/a/b/c", "a a/b a/b/c "},
      {{"f"}, "/a/b/c/", "a a/b a/b/c a/b/c/f "},
      {{"d"}, "/a", "a a/in a/sub a/sub/y a/x "},
      {{"d"}, "/a/", "a a/in a/sub a/sub/y a/x "},
      {{"d/"}, "/a/b", "a a/b a/b/in a/b/sub a/b/sub/y a/b/x "},
      {{"f"}, "/", "f "},
      {{"d/sub"}, "/", "y "},
      // that are
      {{"f"}, "/dst", "dst/f "},
      {{"f"}, "/dst/", "dst/f "},
      {{"f"}, "/dst/old", "dst/old "},
      {{"d"}, "/dst", "dst dst/in dst/sub dst/sub/y dst/x "},
      {{"f"}, "/file", "file "},
      // through links
      {{"f"}, "/link", "real/place/f "},
      {{"f"}, "/link/", "real/place/f "},
      {{"f"}, "/link/y", "real/place/y "},
      {{"d/sub"}, "/link", "real/place real/place/y "},
      {{"f"}, "/tofile", "file "},
      {{"f"}, "/dangling", "nowhere nowhere/there "},
      {{"f"}, "/dangling/", "nowhere nowhere/there nowhere/there/f "},
      {{"d/sub"}, "/dangling", "nowhere nowhere/there nowhere/there/y "},
      {{"f"}, "/up", "dst/f "},
      {{"f"}, "/up/../dst/q", "dst/q "},
      {{"f"}, "/has/", "has/f "},  // a link in the directory is replaced
      // several sources: each by itself
      {{"f", "g.txt"}, "/a/", "a a/f a/g.txt "},
      {{"f", "g.txt"}, "/dst", "dst/f dst/g.txt "},
      {{"f", "g.txt"}, "/a", "a "},
      {{"d", "e"}, "/a/", "a a/deep a/deep/sub a/deep/sub/w.c a/in a/sub a/sub/y a/sub/z.c a/x "},
      {{"d/sub", "f"}, "/a", "a a/f a/y "},
      // sources
      {{"/f"}, "/a", "a "},
      {{"/../f"}, "/a", "a "},
      {{"../../d/x"}, "/a/", "a a/x "},
      {{"d/../f"}, "/a", "a "},
      {{"f/"}, "/a", "a "},
      {{"./d/."}, "/a", "a a/in a/sub a/sub/y a/x "},
      {{"l"}, "/a/", "a a/l "},
      {{"ld"}, "/a", "a a/in a/sub a/sub/y a/x "},
      {{"ld/x"}, "/a/", "a a/x "},
      {{"out"}, "/a/", "a a/out "},
      {{"."},
       "/w/",
       "w w/d w/d/in w/d/sub w/d/sub/y w/d/x w/e w/e/deep w/e/deep/sub w/e/deep/sub/w.c w/e/sub w/e/sub/z.c w/f "
       "w/g.txt w/h.txt w/l w/ld w/out w/st*r "},
      // wildcards
      {{"*.txt"}, "/a/", "a a/g.txt a/h.txt "},
      {{"*.txt"}, "/a", "a "},
      {{"?.txt"}, "/dst", "dst/g.txt dst/h.txt "},
      {{"[fg]*"}, "/a/", "a a/f a/g.txt "},
      {{"none*"}, "/a/", ""},
      {{"none/*"}, "/a/", ""},
      {{"d/[xs]*"}, "/a/", "a a/x a/y "},
      {{"*/sub"}, "/a/", "a a/y a/z.c "},
      {{"e/*/*/*.c"}, "/a/", "a a/w.c "},
      {{"ld/s*"}, "/a/", "a a/y "},
      {{"l*"}, "/a/", "a a/in a/l a/sub a/sub/y a/x "},
      {{"st[*]r"}, "/a/", "a a/st*r "},
      {{"**/w.c"}, "/a/", ""},  // "**" is "*" here
  };
  for (const auto& item : cases) {
    const Result result = copy(item.sources, item.destination, destination_tree());
    EXPECT_EQ(result.error, "") << item.sources[0] << " to " << item.destination;
    EXPECT_EQ(result.changes, item.changes) << item.sources[0] << " to " << item.destination;
  }
}

TEST(Copy, Errors) {
  struct Case {
    const char* source;
    const char* destination;
    const char* error;
  };
  for (const auto& item : std::vector<Case>{
           {"nothing", "/a", "\"/nothing\": not found"},
           {"/d/nothing/", "/a", "\"/d/nothing\": not found"},
           {"f/x", "/a", "\"/f/x\": not found"},
           {"d", "/file", "cannot copy to non-directory: /file"},
           {"d", "/tofile", "cannot copy to non-directory: /file"},
           {"f", "/file/", "cannot copy to non-directory: /file"},
           {"f", "/file/x", "cannot copy to non-directory: /file"},
           {"f", "/dir/", "cannot replace to directory /dir/f with file"},
           {"f", "/dir", "cannot replace to directory /dir/f with file"},
           {"d", "/dir", "cannot copy to non-directory: /dir/sub"},
           {"d", "/has", "cannot copy to non-directory: /has/sub"},  // a link to a directory is none
           {"d/in", "/a", "\"/d/in\": not found"},                   // its target is not there
           {"d/i*", "/a/", "\"/d/in\": not found"},
       }) {
    EXPECT_EQ(copy({item.source}, item.destination, destination_tree()).error, item.error)
        << item.source << " to " << item.destination;
  }
  EXPECT_NE(copy({"f"}, "/loop", destination_tree()).error.find("symbolic links"), std::string::npos);
  EXPECT_EQ(copy({"d/nothing"}, "/a", {}, {}, {}, true).error, "\"/d/nothing\": not found");
}

TEST(Copy, OwnersModesAndTimes) {
  CopyRules now;
  now.now = {77, 0};
  const Result made = copy({"d"}, "/new/a", {}, now);
  EXPECT_EQ(made.tree.find("new")->mtime.seconds, 77);
  EXPECT_EQ(made.tree.find("new/a")->mode, 0755U);  // the top directory is made, not copied
  EXPECT_EQ(made.tree.find("new/a")->mtime.seconds, 99);
  EXPECT_EQ(made.tree.find("new/a/sub")->mode, 0700U);
  EXPECT_EQ(made.tree.find("new/a/sub")->mtime.seconds, 98);
  EXPECT_EQ(made.tree.find("new/a/x")->uid, 0U);
  CopyRules from_stage;
  from_stage.from_context = false;
  const Result kept = copy({"d"}, "/dst", destination_tree(), from_stage);
  EXPECT_EQ(kept.tree.find("dst")->uid, 9U);
  EXPECT_EQ(kept.tree.find("dst")->mode, 0711U);
  EXPECT_EQ(kept.tree.find("dst")->mtime.seconds, 99);
  EXPECT_EQ(kept.tree.find("dst/x")->uid, 5U);
  EXPECT_EQ(kept.tree.find("dst/sub")->uid, 6U);
  EXPECT_EQ(copy({"d"}, "/a", {}, from_stage).tree.find("a")->uid, 0U);
  // Nested directories on both sides take the source's.
  Tree both = destination_tree();
  both.put("dst/sub", directory(0777, 1, 1));
  both.put("dst/sub/mine", file());
  const Result merged = copy({"d"}, "/dst", both, from_stage);
  EXPECT_EQ(merged.tree.find("dst/sub")->mode, 0700U);
  EXPECT_EQ(merged.tree.find("dst/sub")->uid, 6U);
  EXPECT_TRUE(merged.tree.find("dst/sub/mine"));
  EXPECT_EQ(copy({"g.txt"}, "/g").tree.find("g")->mode, 04755U);
}

TEST(Copy, ChownAndChmod) {
  CopyRules octal;
  octal.owner = Owner{7, 8};
  octal.mode = ModeChange("6711");
  const Result result = copy({"d"}, "/new/a", {}, octal);
  EXPECT_EQ(result.tree.find("new")->uid, 7U);
  EXPECT_EQ(result.tree.find("new")->mode, 0711U);
  EXPECT_EQ(result.tree.find("new/a")->mode, 0711U);
  EXPECT_EQ(result.tree.find("new/a/sub")->mode, 06711U);
  EXPECT_EQ(result.tree.find("new/a/x")->mode, 06711U);
  EXPECT_EQ(result.tree.find("new/a/x")->gid, 8U);
  EXPECT_EQ(result.tree.find("new/a/in")->uid, 7U);
  EXPECT_EQ(result.tree.find("new/a/in")->mode, link_to("x").mode);  // links have none
  CopyRules symbolic;
  symbolic.mode = ModeChange("go=,u+X");
  const Result changed = copy({"d"}, "/new/a", {}, symbolic);
  EXPECT_EQ(changed.tree.find("new")->mode, 0755U);
  EXPECT_EQ(changed.tree.find("new/a")->mode, 0755U);
  EXPECT_EQ(changed.tree.find("new/a/x")->mode, 0600U);
  EXPECT_EQ(changed.tree.find("new/a/sub")->mode, 0700U);
  EXPECT_EQ(copy({"d"}, "/dst", destination_tree(), octal).tree.find("dst")->mode, 0711U);
}

TEST(Copy, Excludes) {
  struct Case {
    std::vector<std::string> sources;
    std::vector<std::string> excludes;
    std::string changes;
  };
  for (const auto& item : std::vector<Case>{
           {{"d"}, {"sub"}, "a a/in a/x "},
           {{"d"}, {"sub/y"}, "a a/in a/sub a/x "},
           {{"d"}, {"*"}, "a "},
           {{"d"}, {"*", "!sub/y"}, "a a/sub a/sub/y "},
           {{"d"}, {"d/x"}, "a a/in a/sub a/sub/y a/x "},
           {{"d"}, {"/x"}, "a a/in a/sub a/sub/y a/x "},
           {{"d"}, {"**/y", "x"}, "a a/in a/sub "},
           {{"e"}, {"**/*.c"}, "a a/deep a/deep/sub a/sub "},
           {{"e"}, {"deep"}, "a a/sub a/sub/z.c "},
           {{"*.txt"}, {"*.txt"}, "a a/g.txt a/h.txt "},  // what the wildcard itself matched stays
           {{"f"}, {"f"}, "a a/f "},
           {{"*"}, {"x", "sub", "deep"}, "a a/f a/g.txt a/h.txt a/in a/l a/out a/st*r "},
       }) {
    EXPECT_EQ(copy(item.sources, "/a/", {}, {}, item.excludes).changes, item.changes) << item.sources[0] << " " << item.excludes[0];
  }
  // Re-included below an excluded directory: that comes with the source's metadata.
  EXPECT_EQ(copy({"d"}, "/a/", {}, {}, {"*", "!sub/y"}).tree.find("a/sub")->mode, 0700U);
}

TEST(Copy, Parents) {
  struct Case {
    std::vector<std::string> sources;
    std::string changes;
  };
  for (const auto& item : std::vector<Case>{
           {{"d/sub/y"}, "a a/d a/d/sub a/d/sub/y "},
           {{"d/./sub/y"}, "a a/sub a/sub/y "},
           {{"./d/sub/y"}, "a a/d a/d/sub a/d/sub/y "},
           {{"d/sub/./y"}, "a a/y "},
           {{"d"}, "a a/d a/d/in a/d/sub a/d/sub/y a/d/x "},
           {{"d/./sub"}, "a a/sub a/sub/y "},
           {{"*/sub"}, "a a/d a/d/sub a/d/sub/y a/e a/e/sub a/e/sub/z.c "},
           {{"**/*.c"}, "a a/e a/e/deep a/e/deep/sub a/e/deep/sub/w.c a/e/sub a/e/sub/z.c "},
           {{"e/./**/w.c"}, "a a/deep a/deep/sub a/deep/sub/w.c "},
           {{"e/./deep/./sub"}, "a a/deep a/deep/sub a/deep/sub/w.c "},
           {{"*.none"}, "a "},
           {{"."}, "a "},  // the pattern is empty
           {{"d/./"}, "a "},
           {{"d/"}, "a a/d a/d/in a/d/sub a/d/sub/y a/d/x "},
           {{"/d/./sub/"}, "a a/sub a/sub/y "},
           {{"f", "d/x"}, "a a/d a/d/x a/f "},
           {{"ld"}, "a a/ld "},     // links are not followed here
           {{"ld/./x"}, "a a/x "},  // but as the pivot they are
       }) {
    const Result result = copy(item.sources, "/a", {}, {}, {}, true);
    EXPECT_EQ(result.error, "") << item.sources[0];
    EXPECT_EQ(result.changes, item.changes) << item.sources[0];
  }
  const Result result = copy({"d/sub/y"}, "/a", {}, {}, {}, true);
  EXPECT_EQ(result.tree.find("a/d")->mode, 0750U);
  EXPECT_EQ(result.tree.find("a/d/sub")->mtime.seconds, 98);
  EXPECT_EQ(copy({"e"}, "/a", {}, {}, {"**/deep"}, true).changes, "a a/e a/e/sub a/e/sub/z.c ");
}

TEST(Copy, HardLinksStayWithinOneSource) {
  Tree source;
  Node node = file();
  node.link_id = source.new_link_id();
  source.put("d/a", node);
  source.put("d/b", node);
  Tree into;
  CopyOperation operation(into, {});
  operation.copy(source, "d", "/all", {});
  operation.copy(source, "d/*", "/each/", {});
  EXPECT_NE(into.find("all/a")->link_id, 0U);
  EXPECT_EQ(into.find("all/a")->link_id, into.find("all/b")->link_id);
  EXPECT_NE(into.find("all/a")->link_id, node.link_id);
  EXPECT_NE(into.find("each/a")->link_id, into.find("each/b")->link_id);
}

TEST(Copy, LinkIsALayerOfItsOwn) {
  Tree into = destination_tree();
  Tree layer;
  CopyOperation operation(layer, {});
  operation.copy(source_tree(), "f", "/link/y", {});
  operation.copy(source_tree(), "f", "/dst/z", {});
  const Changes changes = operation.take_changes();
  put_layer_over(into, layer, changes);
  EXPECT_TRUE(into.find("link")->is_directory());  // not followed: replaced
  EXPECT_TRUE(into.find("link/y"));
  EXPECT_FALSE(into.find("real/place/y"));
  EXPECT_EQ(into.find("dst")->mode, 0755U);
  EXPECT_TRUE(into.find("dst/old"));
}

TEST(Copy, Archives) {
  Tree into = destination_tree();
  into.put("dst/abs", link_to("/in"));
  into.put("dst/in", directory());
  CopyRules rules;
  rules.mode = ModeChange("0600");
  CopyOperation operation(into, rules);
  const std::string to = operation.make_destination("/dst");
  for (const auto& [path, node, link] : std::vector<std::tuple<std::string, Node, std::string>>{
           {"", directory(0700), ""},
           {"old", directory(0701), ""},
           {"new/below", file(0640), ""},
           {"abs/x", file(), ""},
           {"abs", directory(0702), ""},
           {"same", Node(), "new/below"},
           {"esc", link_to("../../../etc"), ""},
           {"esc/passwd", file(), ""},
       }) {
    operation.put_archived(to, ArchiveEntry{path, node, link});
  }
  EXPECT_EQ(into.find("dst")->mode, 0711U);        // an entry for the root changes nothing
  EXPECT_EQ(into.find("dst/old")->mode, 0701U);    // a directory over a file
  EXPECT_EQ(into.find("dst/new")->mode, 0755U);    // --chmod is not for archives
  EXPECT_EQ(into.find("dst/new/below")->uid, 5U);  // owners are the archive's
  EXPECT_TRUE(into.find("dst/in/x"));              // "/in" is below the destination
  EXPECT_EQ(into.find("dst/in")->mode, 0702U);
  EXPECT_EQ(into.find("dst/same")->link_id, into.find("dst/new/below")->link_id);
  EXPECT_NE(into.find("dst/same")->link_id, 0U);
  EXPECT_TRUE(into.find("dst/etc/passwd"));  // ".." stops at the destination
  EXPECT_THROW(operation.put_archived(to, ArchiveEntry{"bad", Node(), "nothing"}), io::Error);
}

TEST(Copy, AttributesOfDirectoriesAreAdded) {
  Node marked = directory();
  marked.xattrs = std::make_shared<const Xattrs>(Xattrs{{"user.a", "old"}, {"user.b", "old"}});
  Tree into;
  into.put("dst/sub", marked);
  Tree source;
  Node node = directory();
  node.xattrs = std::make_shared<const Xattrs>(Xattrs{{"user.b", "new"}, {"user.c", "new"}});
  source.put("d/sub", node);
  CopyOperation operation(into, {});
  operation.copy(source, "d", "/dst", IgnoreMatcher());
  EXPECT_EQ(*into.find("dst/sub")->xattrs, (Xattrs{{"user.a", "old"}, {"user.b", "new"}, {"user.c", "new"}}));
}

TEST(Copy, ScanRoots) {
  struct Case {
    const char* source;
    bool parents;
    const char* root;
  };
  for (const auto& item : std::vector<Case>{{"a/b", false, "a/b"},
                                            {"a/*.c", false, "a"},
                                            {"*", false, ""},
                                            {"a/b*/c", false, "a"},
                                            {".", false, ""},
                                            {"/a/../b", false, "b"},
                                            {"a/./b/c", true, "a/b/c"},
                                            {"a/./../b", true, "a/b"},
                                            {"a/./**/b", true, "a"},
                                            {"a/b\\*", false, "a/b\\*"}}) {
    EXPECT_EQ(scan_root(item.source, item.parents), item.root) << item.source;
  }
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
  struct Case {
    const char* text;
    std::uint32_t uid;
    std::uint32_t gid;
    std::size_t missing;
  };
  for (const auto& item : std::vector<Case>{{"app", 10, 20, 0},
                                            {"77", 77, 77, 0},
                                            {"10", 10, 10, 0},
                                            {"app:5", 10, 5, 0},
                                            {"5:wheel", 5, 60, 0},
                                            {"app:", 10, 20, 0},
                                            {":wheel", 0, 60, 0},
                                            {"root:root", 0, 0, 0},
                                            {"nobody", 0, 0, 1},
                                            {"app:nogroup", 10, 20, 1},
                                            {"no:no", 0, 0, 2}}) {
    std::vector<std::string> missing;
    const Owner owner = resolve_chown(database, item.text, missing);
    EXPECT_EQ(owner.uid, item.uid) << item.text;
    EXPECT_EQ(owner.gid, item.gid) << item.text;
    EXPECT_EQ(missing.size(), item.missing) << item.text;
  }
}

}  // namespace
}  // namespace kiln::engine
