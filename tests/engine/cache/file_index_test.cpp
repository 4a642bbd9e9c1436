// Indexes of files: what is written is what is read, and nothing is believed that cannot be.
#include "engine/cache/file_index.hpp"

#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "engine/capture/layer_writer.hpp"
#include "io/base/error.hpp"
#include "oci/tar/writer.hpp"
#include "tests/support/run_task.hpp"
#include "tests/support/text_source.hpp"

namespace kiln::engine {
namespace {

Node file(std::uint64_t size, std::shared_ptr<const ContentLayer> layer, const std::string& path) {
  Node node;
  node.type = FileType::regular;
  node.mode = 0640;
  node.size = size;
  node.mtime = {1'700'000'000, 0};
  node.content.layer = std::move(layer);
  node.content.path = path;
  return node;
}

class FileIndexTest : public ::testing::Test {
 protected:
  std::shared_ptr<const ContentLayer> layer() {
    blobs_.push_back(std::make_shared<oci::SpoolBlob>(runtime_.executor(), ::testing::TempDir()));
    layers_.push_back(std::make_shared<const ContentLayer>(ContentLayer{blobs_.back()}));
    return layers_.back();
  }

  io::Task<void> write(FileIndex index, oci::SpoolBlobPtr blob) {
    LayerSettings settings;
    settings.compression.compression = io::Compression::none;
    const auto reader = io::make_file_reader(runtime_);
    co_await write_layer(runtime_, *reader, index.tree, index.changes, settings, blob, [] {});
  }

  void apply(FileIndex index, Tree& tree) {
    const auto blob = std::make_shared<oci::SpoolBlob>(runtime_.executor(), ::testing::TempDir());
    testing::run(runtime_, write(std::move(index), blob));
    apply_index(*blob->follow(), tree, layers_);
  }

  // Everything that a COPY and a layer need to know.
  void expect_same(const Tree& expected, const Tree& found) {
    EXPECT_EQ(expected.size(), found.size());
    expected.walk("", [&](const std::string& path, const Node& node) {
      const auto other = found.find(path);
      EXPECT_TRUE(other) << path;
      if (!other || path.empty()) return true;
      EXPECT_TRUE(same_metadata(node, *other)) << path;
      EXPECT_EQ(node.content.layer, other->content.layer) << path;
      EXPECT_EQ(node.content.path, other->content.path) << path;
      return true;
    });
  }

  io::Runtime runtime_{io::RuntimeOptions{}};
  std::vector<oci::SpoolBlobPtr> blobs_;
  std::vector<std::shared_ptr<const ContentLayer>> layers_;
};

TEST_F(FileIndexTest, TreeOfTwoLayersComesBack) {
  const auto lower = layer(), upper = layer();
  Tree tree;
  Node directory;
  directory.mode = 01777;
  directory.uid = 7;
  tree.put("tmp", directory);
  tree.put("usr/bin/tool", file(3'000'000'000, lower, "usr/bin/tool"));
  Node capable = file(10, upper, "bin/capable");  // by another name there: bin is a link
  capable.xattrs = std::make_shared<const Xattrs>(Xattrs{{"security.capability", std::string("\1\0\0\2", 4)}});
  tree.put("usr/bin/capable", capable);
  Node first = file(20, lower, "usr/lib/first");
  first.link_id = tree.new_link_id();
  tree.put("usr/lib/first", first);
  tree.put("usr/lib/second", first);
  Node link;
  link.type = FileType::symlink;
  link.mode = 0777;
  link.link_target = "usr/bin";
  tree.put("bin", link);
  Node device;
  device.type = FileType::char_device;
  device.device_major = 1;
  device.device_minor = 3;
  tree.put("dev/null", device);

  Tree found;
  apply(index_of_tree(tree, blobs_, {}), found);
  expect_same(tree, found);
  EXPECT_NE(found.find("usr/lib/first")->link_id, 0U);
  EXPECT_EQ(found.find("usr/lib/first")->link_id, found.find("usr/lib/second")->link_id);
}

TEST_F(FileIndexTest, WholeFilesComeWithTheirBytes) {
  Tree tree;
  tree.put("etc/passwd", file(5, layer(), "etc/passwd"));
  Tree found;
  apply(index_of_tree(tree, blobs_, {{"etc/passwd", "a:x:1"}}), found);
  const auto node = found.find("etc/passwd");
  ASSERT_TRUE(node && node->content.inline_bytes);
  EXPECT_EQ(node->content.inline_bytes->bytes, "a:x:1");
  EXPECT_EQ(node->size, 5U);
  EXPECT_FALSE(node->xattrs);
}

TEST_F(FileIndexTest, LayersChangesAreAppliedToWhatIsBelow) {
  const auto made = layer();
  Tree below;
  below.put("old/gone", file(1, nullptr, ""));
  below.put("old/kept", file(1, nullptr, ""));
  Tree tree = below;
  tree.remove("old/gone");
  tree.put("new/file", file(9, made, "new/file"));
  apply(index_of_layer(tree, {{Change::Kind::put, "new"}, {Change::Kind::put, "new/file"}, {Change::Kind::remove, "old/gone"}}, {}),
        below);
  expect_same(tree, below);
}

TEST_F(FileIndexTest, ContentThatIsInNoLayerIsRefused) {
  Tree tree;
  tree.put("file", file(1, layer(), "file"));
  EXPECT_THROW(index_of_tree(tree, {}, {}), io::Error);
}

TEST_F(FileIndexTest, WhatTellsNoPlaceIsRefused) {
  layer();
  for (const char* attribute : {"", "x", "5 1", "5 -1", "5x", "99999999999999999999 0", "5 0x"}) {
    oci::TarEntry entry;
    entry.path = "file";
    entry.xattrs["trusted.kiln.content"] = attribute;
    testing::TextSource archive(oci::tar_header(entry) + std::string(oci::tar_end_size, '\0'));
    Tree tree;
    EXPECT_THROW(apply_index(archive, tree, layers_), io::Error) << attribute;
  }
}

TEST(FileIndexKeys, TellLayersAndTheirOrder) {
  const oci::Digest a = oci::Digest::of(io::as_bytes("a")), b = oci::Digest::of(io::as_bytes("b"));
  const std::vector<oci::Digest> ab{a, b}, ba{b, a}, only{a};
  EXPECT_NE(tree_index_key(ab), tree_index_key(ba));
  EXPECT_NE(tree_index_key(only), tree_index_key(ab));
  EXPECT_NE(tree_index_key(only), layer_index_key(a));
}

}  // namespace
}  // namespace kiln::engine
