#include "engine/tree/tree.hpp"

#include <gtest/gtest.h>

#include "io/base/error.hpp"

namespace kiln::engine {
namespace {

Node file(std::uint64_t size = 1) {
  Node node;
  node.type = FileType::regular;
  node.mode = 0644;
  node.size = size;
  return node;
}

Node link_to(const std::string& target) {
  Node node;
  node.type = FileType::symlink;
  node.link_target = target;
  return node;
}

oci::TarEntry entry(const std::string& path, FileType type = FileType::regular, const std::string& target = "") {
  oci::TarEntry made;
  made.path = path;
  made.type = type;
  made.link_target = target;
  return made;
}

std::string listing(const Tree& tree) {
  std::string text;
  tree.walk("", [&](const std::string& path, const Node&) {
    if (!path.empty()) text += path + " ";
    return true;
  });
  return text;
}

TEST(Tree, CopiesAreIndependent) {
  Tree first;
  first.put("a/b/c", file());
  Tree second = first;
  second.put("a/b/d", file());
  second.remove("a/b/c");
  second.update("a", [](Node& node) { node.mode = 0700; });
  EXPECT_EQ(listing(first), "a a/b a/b/c ");
  EXPECT_EQ(listing(second), "a a/b a/b/d ");
  EXPECT_EQ(first.find("a")->mode, 0755U);
  first = Tree();
  EXPECT_NE(second.find("a/b/d"), nullptr);
}

TEST(Tree, PutReplacesByType) {
  Tree tree;
  tree.put("a/b", file());
  Node directory;
  directory.mode = 0711;
  tree.put("a", directory);
  EXPECT_NE(tree.find("a/b"), nullptr);
  tree.put("a", file());
  EXPECT_EQ(tree.find("a/b"), nullptr);
  tree.put("a/x", file());
  EXPECT_TRUE(tree.find("a")->is_directory());
  EXPECT_FALSE(tree.remove("nothing"));
}

TEST(Tree, OrderIsByComponent) {
  EXPECT_TRUE(path_less("a/z", "a-b"));
  EXPECT_TRUE(path_less("a", "a/b"));
  EXPECT_FALSE(path_less("a-b", "a/z"));
  Tree tree;
  for (const char* path : {"a-b", "a/z", "a.c"}) tree.put(path, file());
  EXPECT_EQ(tree.children(""), (std::vector<std::string>{"a", "a-b", "a.c"}));
}

TEST(Resolve, LinksStayInside) {
  Tree tree;
  tree.put("usr/lib/x", file());
  tree.put("lib", link_to("usr/lib"));
  tree.put("abs", link_to("/usr"));
  tree.put("up", link_to("../../../usr"));
  tree.put("loop", link_to("loop"));
  EXPECT_EQ(resolve_in_tree(tree, "/lib/x"), "usr/lib/x");
  EXPECT_EQ(resolve_in_tree(tree, "abs/lib"), "usr/lib");
  EXPECT_EQ(resolve_in_tree(tree, "up/new/../y"), "usr/y");
  EXPECT_EQ(resolve_in_tree(tree, "lib", false), "lib");
  EXPECT_EQ(resolve_in_tree(tree, "../../etc"), "etc");
  EXPECT_THROW(resolve_in_tree(tree, "loop/x"), io::Error);
}

TEST(Layers, WhiteoutsActOnLowerLayersOnly) {
  Tree tree;
  LayerApplier base(tree, nullptr);
  for (const char* path : {"d/old", "d/kept", "e/x", "f"}) base.apply(entry(path));
  LayerApplier upper(tree, nullptr);
  upper.apply(entry("d/new"));
  upper.apply(entry("d/.wh..wh..opq"));  // after an entry of the same layer
  upper.apply(entry("e/.wh.x"));
  upper.apply(entry(".wh.f"));
  upper.apply(entry("f"));
  EXPECT_EQ(listing(tree), "d d/new e f ");
}

TEST(Layers, LinksAndParents) {
  Tree tree;
  LayerApplier base(tree, nullptr);
  base.apply(entry("usr/lib", FileType::directory));
  base.apply(entry("lib", FileType::symlink, "usr/lib"));
  base.apply(entry("lib/a"));
  base.apply(entry("hard", FileType::hard_link, "usr/lib/a"));
  EXPECT_NE(tree.find("usr/lib/a"), nullptr);
  EXPECT_EQ(tree.find("hard")->link_id, tree.find("usr/lib/a")->link_id);
  EXPECT_NE(tree.find("hard")->link_id, 0U);
  EXPECT_EQ(tree.find("lib")->type, FileType::symlink);
  EXPECT_THROW(base.apply(entry("bad", FileType::hard_link, "nowhere")), io::Error);
}

}  // namespace
}  // namespace kiln::engine
