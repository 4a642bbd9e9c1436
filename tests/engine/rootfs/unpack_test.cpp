// Layers that replace, hide and link what is in other layers, unpacked while later ones are read ahead.
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "engine/rootfs/rootfs.hpp"
#include "io/base/error.hpp"
#include "io/codec/digest.hpp"
#include "oci/tar/writer.hpp"
#include "tests/support/run_task.hpp"
#include "tests/support/temporary_directory.hpp"

namespace kiln::engine {
namespace {

namespace fs = std::filesystem;

oci::TarEntry entry(const std::string& path, FileType type, std::uint32_t mode) {
  oci::TarEntry entry;
  entry.path = path;
  entry.type = type;
  entry.mode = mode;
  return entry;
}

class Archive {
 public:
  Archive& directory(const std::string& path) { return add(entry(path, FileType::directory, 0755)); }
  Archive& file(const std::string& path, const std::string& text, std::uint32_t mode = 0644) {
    oci::TarEntry file = entry(path, FileType::regular, mode);
    file.size = text.size();
    return add(file, text);
  }
  Archive& symlink(const std::string& path, const std::string& target) { return link(path, FileType::symlink, target); }
  Archive& hard_link(const std::string& path, const std::string& target) { return link(path, FileType::hard_link, target); }
  std::string bytes() const { return bytes_ + std::string(oci::tar_end_size, '\0'); }

 private:
  Archive& link(const std::string& path, FileType type, const std::string& target) {
    oci::TarEntry link = entry(path, type, 0777);
    link.link_target = target;
    return add(link);
  }
  Archive& add(const oci::TarEntry& entry, const std::string& content = "") {
    bytes_ += oci::tar_header(entry) + content + std::string(oci::tar_padding(content.size()), '\0');
    return *this;
  }
  std::string bytes_;
};

class Unpack : public ::testing::Test {
 protected:
  oci::SpoolBlobPtr blob(const std::string& bytes) {
    auto blob = std::make_shared<oci::SpoolBlob>(runtime_.executor(), base_);
    blob->append(io::as_bytes(bytes));
    io::Sha256 digest;
    digest.update(io::as_bytes(bytes));
    blob->complete(oci::Digest::from(digest.finish()));
    return blob;
  }

  Tree unpack(const std::vector<Archive>& archives) {
    std::vector<LayerInput> layers;
    for (const auto& archive : archives) layers.push_back({blob(archive.bytes()), nullptr});
    Tree tree;
    testing::run(runtime_, unpack_layers(std::move(layers), tree));
    return tree;
  }
  io::Task<void> unpack_layers(std::vector<LayerInput> layers, Tree& tree) { tree = co_await rootfs_.unpack(std::move(layers)); }
  io::Task<void> index_layers_of(std::vector<LayerInput> layers, Tree& tree) {
    tree = co_await index_layers(runtime_, Tree(), std::move(layers));
  }

  fs::path root() const { return rootfs_.directory_paths().front(); }
  std::string text(const std::string& path) const {
    std::ifstream file(root() / path);
    return std::string(std::istreambuf_iterator<char>(file), {});
  }
  // Every stamp is what the disk says, and nothing is on disk that the Tree does not have.
  void expect_disk_is(const Tree& tree) const {
    std::size_t seen = 1;
    for (const auto& entry : fs::recursive_directory_iterator(root())) {
      const std::string path = entry.path().lexically_relative(root());
      const auto node = tree.find(path);
      ASSERT_TRUE(node) << path;
      struct stat status{};
      ASSERT_EQ(lstat(entry.path().c_str(), &status), 0);
      EXPECT_EQ(node->stamp.inode, status.st_ino) << path;
      EXPECT_EQ(node->stamp.ctime_ns, status.st_ctim.tv_sec * 1'000'000'000LL + status.st_ctim.tv_nsec) << path;
      ++seen;
    }
    EXPECT_EQ(seen, tree.size());
  }

  io::Runtime runtime_{io::RuntimeOptions{}};
  const testing::TemporaryDirectory temporary_;
  const fs::path& base_ = temporary_.path();
  Rootfs rootfs_{runtime_, RootfsShape::plain, base_ / "work", {}};
};

TEST_F(Unpack, LaterLayersWin) {
  const Tree tree = unpack({Archive().directory("usr/lib").symlink("lib", "usr/lib").file("etc/conf", "one").file("gone/x", "x"),
                            Archive().file("lib/libc", "two").file("etc/conf", "two").file(".wh.gone", ""),
                            Archive().file("etc/conf", "three", 0600).directory("kind").file("kind/inner", "i"),
                            Archive().file("kind", "now a file").hard_link("usr/libc", "usr/lib/libc")});
  EXPECT_EQ(text("usr/lib/libc"), "two");
  EXPECT_EQ(text("etc/conf"), "three");
  EXPECT_EQ(text("kind"), "now a file");
  EXPECT_EQ(text("usr/libc"), "two");
  EXPECT_FALSE(fs::exists(root() / "gone"));
  EXPECT_EQ(tree.find("etc/conf")->mode, 0600U);
  expect_disk_is(tree);
}

TEST_F(Unpack, SameFileTwiceInALayerIsTheLastOne) {
  unpack({Archive().file("a", "1"), Archive().file("b", "first").hard_link("c", "b").file("b", "second")});
  EXPECT_EQ(text("b"), "second");
  EXPECT_EQ(text("c"), "first");
}

// Time passes between the names of an inode, each of which changes its ctime, as does the one that is taken away.
TEST_F(Unpack, AllNamesOfAFileHaveItsLastStamp) {
  Archive archive;
  archive.file("a", "1").file("x", "2").hard_link("y", "x").hard_link("z", "x");
  for (const std::string name : {"b", "c", "d"}) {
    for (int i = 0; i < 500; ++i) archive.file(fmt::format("{}-{}", name, i), "x");
    archive.hard_link(name, "a");
  }
  const Tree tree = unpack({archive, Archive().file("x", "3")});
  EXPECT_EQ(text("c"), "1");
  EXPECT_EQ(text("y"), "2");
  expect_disk_is(tree);
}

// More entries than a layer may have read before its turn.
TEST_F(Unpack, LongLayersWaitForTheirTurn) {
  constexpr int files = 17'000;
  std::vector<LayerInput> layers{{blob(Archive().directory("0").bytes()), nullptr}};
  for (const std::string layer : {"1", "2"}) {
    Archive archive;
    for (int i = 0; i < files; ++i) archive.file(fmt::format("{}/{:05}", layer, i), "x");
    layers.push_back({blob(archive.bytes()), nullptr});
  }
  Tree tree;
  testing::run(runtime_, index_layers_of(std::move(layers), tree));
  EXPECT_EQ(tree.size(), 4U + 2 * files);
}

TEST_F(Unpack, NothingStaysStaged) {
  unpack({Archive().file("a", "1"), Archive().file("b", "2"), Archive().file("b", "3")});
  EXPECT_FALSE(fs::exists(fs::path(rootfs_.work_directory()) / "staging"));
}

TEST_F(Unpack, AnErrorNamesItsLayer) {
  const std::string whole = Archive().file("a", std::string(2000, 'x')).bytes();
  std::vector<LayerInput> layers;
  for (const auto& bytes : {whole, whole, whole.substr(0, 1500), whole}) layers.push_back({blob(bytes), nullptr});
  Tree tree;
  try {
    testing::run(runtime_, unpack_layers(std::move(layers), tree));
    FAIL() << "a truncated layer was unpacked";
  } catch (const io::Error& error) {
    EXPECT_NE(error.message().find("layer 3 of 4"), std::string::npos) << error.message();
  }
}

}  // namespace
}  // namespace kiln::engine
