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
  EXPECT_TRUE(second.find("a/b/d"));
}

// What is not kept in the fixed part of an entry comes back as it was.
TEST(Tree, UnusualNodesComeBack) {
  const auto layer = std::make_shared<const ContentLayer>();
  Node odd = file(7);
  odd.mtime = {-62'135'596'800, 5};  // Go's zero time does not fit into nanoseconds
  odd.xattrs = std::make_shared<const Xattrs>(Xattrs{{"user.x", "y"}});
  odd.link_id = 3;
  odd.content.layer = layer;
  odd.content.path = "elsewhere";
  odd.stamp.inode = 5;
  odd.stamp.uid = 1000;  // not what the node says
  Node device;
  device.type = FileType::char_device;
  device.device_major = 1;
  device.device_minor = 3;
  Node text = file(2);
  text.content.inline_bytes = std::make_shared<const ContentInline>(ContentInline{"ab"});
  Tree tree;
  tree.put("odd", odd);
  tree.put("device", device);
  tree.put("text", text);
  const Tree copy = tree;
  tree.update("odd", [](Node& node) { node.mode = 0600; });
  const Node found = *tree.find("odd");
  EXPECT_EQ(found.mode, 0600U);
  EXPECT_EQ(found.mtime, odd.mtime);
  EXPECT_EQ(*found.xattrs, *odd.xattrs);
  EXPECT_EQ(found.link_id, odd.link_id);
  EXPECT_EQ(found.content.layer, layer);
  EXPECT_EQ(found.content.path, "elsewhere");
  EXPECT_EQ(found.stamp, odd.stamp);
  EXPECT_EQ(tree.view("odd").stamp(), odd.stamp);
  EXPECT_TRUE(same_metadata(*copy.find("odd"), odd));
  EXPECT_EQ(tree.find("device")->device_minor, 3U);
  EXPECT_EQ(tree.find("text")->content.inline_bytes, text.content.inline_bytes);
  EXPECT_FALSE(tree.find("text")->stamp.on_disk());
}

TEST(Tree, ContentsAtTheirOwnPath) {
  const auto lower = std::make_shared<const ContentLayer>();
  const auto upper = std::make_shared<const ContentLayer>();
  Tree tree;
  for (const auto& layer : {lower, upper, lower}) {
    for (const char* path : {"a/b", "a/c"}) {
      Node node = file();
      node.content.layer = layer;
      node.content.path = path;
      tree.put(path, node);
      EXPECT_EQ(tree.find(path)->content.layer, layer);
      EXPECT_EQ(tree.find(path)->content.path, path);
    }
  }
  tree.put("a/d", *tree.find("a/b"));
  EXPECT_EQ(tree.find("a/d")->content.path, "a/b");
  tree.update("a/b", [](Node& node) { node = Node(); });
  EXPECT_TRUE(tree.find("a/b")->is_directory());
  EXPECT_FALSE(tree.find("a/b")->content.known());
}

TEST(Tree, SharesWhatNobodyChanged) {
  Tree tree;
  for (const char* path : {"a/b", "a/c", "d/e"}) tree.put(path, file());
  Tree copy = tree;
  copy.put("a/b", file());
  EXPECT_FALSE(tree.shares(copy, "a/b"));
  EXPECT_FALSE(tree.shares(copy, "a"));
  EXPECT_TRUE(tree.shares(copy, "a/c"));
  EXPECT_TRUE(tree.shares(copy, "d"));
  EXPECT_FALSE(tree.shares(copy, "nothing"));
}

TEST(Tree, PutReplacesByType) {
  Tree tree;
  tree.put("a/b", file());
  Node directory;
  directory.mode = 0711;
  tree.put("a", directory);
  EXPECT_TRUE(tree.find("a/b"));
  tree.put("a", file());
  EXPECT_FALSE(tree.find("a/b"));
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
  EXPECT_TRUE(tree.find("usr/lib/a"));
  EXPECT_EQ(tree.find("hard")->link_id, tree.find("usr/lib/a")->link_id);
  EXPECT_NE(tree.find("hard")->link_id, 0U);
  EXPECT_EQ(tree.find("lib")->type, FileType::symlink);
  EXPECT_THROW(base.apply(entry("bad", FileType::hard_link, "nowhere")), io::Error);
}

}  // namespace
}  // namespace kiln::engine
