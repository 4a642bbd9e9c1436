#include "engine/rootfs/mounted_links.hpp"

#include <fcntl.h>
#include <sys/stat.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include <gtest/gtest.h>

#include "io/base/fd.hpp"

namespace kiln::engine {
namespace {

namespace fs = std::filesystem;
using Paths = std::set<std::string>;

// An image whose /var/run is a link, in a root where something is mounted below a directory of that name.
class Links : public testing::Test {
 protected:
  Links() {
    std::string path = testing::TempDir() + "kiln-links-XXXXXX";
    root_ = mkdtemp(path.data());
    directory_ = io::UniqueFd(open(root_.c_str(), O_RDONLY | O_DIRECTORY));
    for (const char* made : {"var/run/secrets/account", "run"}) fs::create_directories(root_ / made);
    std::ofstream(root_ / "var/run/secrets/account/token") << "token";
    add("var", FileType::directory);
    add("run", FileType::directory);
    add("var/run", FileType::symlink, "../run");
  }
  ~Links() override { fs::remove_all(root_); }

  void add(const std::string& path, FileType type, const std::string& target = "") {
    Node node;
    node.type = type;
    node.mode = 0755;
    node.mtime.seconds = 1'000'000;
    node.link_target = target;
    tree_.put(path, node);
  }
  bool is_link(const std::string& path) { return fs::is_symlink(root_ / path); }
  bool exists(const std::string& path) { return fs::exists(fs::symlink_status(root_ / path)); }

  fs::path root_;
  io::UniqueFd directory_;
  Tree tree_;
  ProtectedPaths keep_{Paths{"/var/run", "/var/run/secrets/account"}};
};

TEST_F(Links, TheWayToAMountMoves) {
  MountedLinks links(directory_.get());
  EXPECT_EQ(links.lay(tree_, {"var/run"}, keep_), Paths{"run/secrets/account"});
  EXPECT_TRUE(is_link("var/run"));
  EXPECT_TRUE(exists("run/secrets/account/token"));
  struct stat status{};
  ASSERT_EQ(stat((root_ / "run").c_str(), &status), 0);
  EXPECT_EQ(status.st_mtim.tv_sec, 1'000'000);
  EXPECT_EQ(tree_.find("run")->stamp.inode, status.st_ino);
  std::ofstream(root_ / "run/made") << "by a RUN";
  links.take_back();
  EXPECT_FALSE(is_link("var/run"));
  EXPECT_TRUE(exists("var/run/secrets/account/token"));
  EXPECT_FALSE(exists("run/secrets"));
  EXPECT_TRUE(exists("run/made"));
}

TEST_F(Links, DirectoriesThatTheImageHasStay) {
  fs::create_directories(root_ / "run/secrets/other");
  MountedLinks links(directory_.get());
  links.lay(tree_, {"var/run"}, keep_);
  EXPECT_TRUE(exists("run/secrets/account/token"));
  fs::remove(root_ / "var/run");
  fs::create_directories(root_ / "var/run/made");
  links.take_back();
  EXPECT_TRUE(exists("var/run/secrets/account/token"));
  EXPECT_TRUE(exists("var/run/made"));
  EXPECT_TRUE(exists("run/secrets/other"));
  EXPECT_FALSE(exists("run/secrets/account"));
}

TEST_F(Links, WhatIsInTheWayLeavesAllAsItWas) {
  fs::create_directories(root_ / "run/secrets");
  std::ofstream(root_ / "run/secrets/account") << "a file";
  std::ofstream(root_ / "var/run/first") << "moves and comes back";
  MountedLinks links(directory_.get());
  EXPECT_EQ(links.lay(tree_, {"var/run"}, keep_), Paths{});
  EXPECT_FALSE(is_link("var/run"));
  EXPECT_TRUE(exists("var/run/secrets/account/token"));
  EXPECT_TRUE(exists("var/run/first"));
}

TEST_F(Links, ALinkIsMadeWhereNothingIs) {
  fs::remove_all(root_ / "var/run");
  MountedLinks links(directory_.get());
  links.lay(tree_, {"var/run"}, ProtectedPaths(Paths{"/var/run"}));
  EXPECT_TRUE(is_link("var/run"));
  links.take_back();
  EXPECT_FALSE(exists("var/run"));
}

TEST_F(Links, OthersAreLeftAlone) {
  add("circle", FileType::symlink, "circle");
  add("file", FileType::symlink, "var/none");
  add("kept", FileType::symlink, "/var/run");
  MountedLinks links(directory_.get());
  EXPECT_EQ(links.lay(tree_, {"circle", "file", "kept", "run", "nothing"}, keep_), Paths{});
  EXPECT_FALSE(exists("circle") || exists("file"));
}

}  // namespace
}  // namespace kiln::engine
