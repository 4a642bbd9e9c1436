#include "engine/build/accumulated.hpp"

#include <optional>

#include <gtest/gtest.h>

namespace kiln::engine {
namespace {

Node file(std::uint64_t inode = 0, std::uint64_t link_id = 0) {
  Node node;
  node.type = FileType::regular;
  node.mode = 0644;
  node.stamp.inode = inode;
  node.link_id = link_id;
  return node;
}

std::string text(const Changes& changes) {
  std::string text;
  for (const auto& change : changes) text += (change.kind == Change::Kind::put ? "+" : "-") + change.path + " ";
  return text;
}

class Accumulated : public testing::Test {
 protected:
  Accumulated() {
    for (const char* path : {"a/old", "a/sub/old", "b/old", "c"}) tree.put(path, file());
    all.emplace(tree);
  }
  void put(const std::string& path, Node node) {
    tree.put(path, std::move(node));
    all->add(tree, {{Change::Kind::put, path}});
  }
  void remove(const std::string& path) {
    tree.remove(path);
    all->add(tree, {{Change::Kind::remove, path}});
  }

  Tree tree;
  std::optional<AccumulatedChanges> all;
};

TEST_F(Accumulated, HasEachPathOnceAsItIsAtTheEnd) {
  put("c", file());
  remove("c");
  put("new", file());
  put("short-lived", file());
  remove("short-lived");
  EXPECT_EQ(text(all->all(tree)), "-c +new ");
}

TEST_F(Accumulated, RemovesWhatADirectoryThatWasMadeAgainDoesNotHaveAnyMore) {
  remove("a");
  put("a", Node());
  put("a/sub", Node());
  put("b", file());  // a file for a while
  put("b", Node());
  EXPECT_EQ(text(all->all(tree)), "+a -a/old +a/sub -a/sub/old +b -b/old ");
}

TEST_F(Accumulated, RemovesNothingBelowWhatIsGoneOrAFile) {
  remove("a/sub/old");
  remove("a");
  put("a-b", file());
  remove("b/old");
  put("b", file());
  EXPECT_EQ(text(all->all(tree)), "-a +a-b +b ");
}

TEST_F(Accumulated, NamesOfOneInodeAreLinks) {
  put("made", file(7));
  put("named-later", file(7));
  put("other", file(8));
  put("off-disk", file());
  put("off-disk-too", file());
  EXPECT_NE(tree.find("made")->link_id, 0U);
  EXPECT_EQ(tree.find("made")->link_id, tree.find("named-later")->link_id);
  EXPECT_EQ(tree.find("other")->link_id, 0U);
  EXPECT_EQ(tree.find("off-disk")->link_id, 0U);
}

TEST_F(Accumulated, AnInodeThatIsUsedAgainIsAnotherFile) {
  put("missed", file(7));
  Node other = file(7);
  other.stamp.mtime_ns = 1;
  put("other", other);
  EXPECT_EQ(tree.find("missed")->link_id, 0U);
  EXPECT_EQ(tree.find("other")->link_id, 0U);
}

TEST_F(Accumulated, LinksThatAnOverlayHasPartedStayLinks) {
  put("one", file(4));
  put("two", file(4));
  tree.update("one", [](Node& node) { node.stamp.inode = 9; });  // copied up, to be named once more
  put("three", file(9));
  EXPECT_EQ(tree.find("one")->link_id, tree.find("two")->link_id);
  EXPECT_EQ(tree.find("one")->link_id, tree.find("three")->link_id);
}

}  // namespace
}  // namespace kiln::engine
