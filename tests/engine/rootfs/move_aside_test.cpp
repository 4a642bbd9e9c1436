#include "engine/rootfs/move_aside.hpp"

#include <fcntl.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace kiln::engine {
namespace {

namespace fs = std::filesystem;

class MoveTree : public testing::Test {
 protected:
  MoveTree() {
    std::string path = testing::TempDir() + "kiln-move-XXXXXX";
    base_ = mkdtemp(path.data());
    fs::create_directories(base_ / "from");
    fs::create_directories(base_ / "to");
  }
  ~MoveTree() override { fs::remove_all(base_); }

  void put(const std::string& path, const std::string& text) {
    fs::create_directories((base_ / path).parent_path());
    std::ofstream(base_ / path) << text;
  }
  std::string text(const std::string& path) {
    std::ifstream file(base_ / path);
    return std::string(std::istreambuf_iterator<char>(file), {});
  }
  bool exists(const std::string& path) { return fs::exists(fs::symlink_status(base_ / path)); }
  void move(const std::set<std::string>& keep, TreeMove how = {}) {
    how.moved = [this](const std::string& path, int) { moved_.push_back(path); };
    how.merged = [this](const std::string& path) { merged_.push_back(path); };
    const io::UniqueFd from(open((base_ / "from").c_str(), O_RDONLY | O_DIRECTORY));
    const io::UniqueFd to(open((base_ / "to").c_str(), O_RDONLY | O_DIRECTORY));
    const ProtectedPaths paths(keep);
    move_tree(from.get(), to.get(), paths, how);
    std::sort(moved_.begin(), moved_.end());
    std::sort(merged_.begin(), merged_.end());
  }

  fs::path base_;
  std::vector<std::string> moved_, merged_;
};

using Paths = std::vector<std::string>;

TEST_F(MoveTree, DirectoriesGoWhole) {
  put("from/usr/bin/env", "env");
  put("from/file", "x");
  move({});
  EXPECT_EQ(text("to/usr/bin/env"), "env");
  EXPECT_FALSE(exists("from/usr"));
  EXPECT_EQ(moved_, (Paths{"file", "usr"}));
  EXPECT_EQ(merged_, Paths());
}

TEST_F(MoveTree, WhatIsProtectedStaysAndItsNeighboursGo) {
  put("from/etc/hosts", "pod's");
  put("from/etc/passwd", "stage's");
  put("from/kaniko/executor", "program");
  move({"/etc/hosts", "/kaniko"});
  EXPECT_EQ(text("from/etc/hosts"), "pod's");
  EXPECT_EQ(text("from/kaniko/executor"), "program");
  EXPECT_EQ(text("to/etc/passwd"), "stage's");
  EXPECT_FALSE(exists("to/etc/hosts") || exists("to/kaniko") || exists("from/etc/passwd"));
  EXPECT_EQ(moved_, (Paths{"etc/passwd"}));
  EXPECT_EQ(merged_, (Paths{"etc"}));
}

TEST_F(MoveTree, MovingInReplaces) {
  put("from/etc/passwd", "new");
  put("from/a", "file over directory");
  put("to/a/b", "old");
  put("to/etc/passwd", "old");
  put("to/etc/hosts", "pod's");
  move({"/etc/hosts"});
  EXPECT_EQ(text("to/etc/passwd"), "new");
  EXPECT_EQ(text("to/etc/hosts"), "pod's");
  EXPECT_EQ(text("to/a"), "file over directory");
}

TEST_F(MoveTree, PuttingBackReplacesNothing) {
  put("from/bin/tool", "mine");
  put("from/bin/sh", "mine");
  put("from/x", "mine");
  put("to/bin/sh", "built");
  put("to/x/y", "built");
  TreeMove how;
  how.replace = false;
  move({}, how);
  EXPECT_EQ(text("to/bin/sh"), "built");
  EXPECT_EQ(text("to/bin/tool"), "mine");
  EXPECT_EQ(text("to/x/y"), "built");
  EXPECT_EQ(text("from/x"), "mine");
}

TEST_F(MoveTree, LinksAreNotFollowed) {
  put("elsewhere/precious", "x");
  fs::create_directory_symlink(base_ / "elsewhere", base_ / "from/link");
  fs::create_directory_symlink(base_ / "elsewhere", base_ / "to/target");
  put("from/target/precious", "y");
  move({});
  EXPECT_TRUE(fs::is_symlink(base_ / "to/link"));
  EXPECT_EQ(text("elsewhere/precious"), "x");
  EXPECT_EQ(text("to/target/precious"), "y");
}

}  // namespace
}  // namespace kiln::engine
