// When inotify alone is enough, and when it is not.
#include "engine/snapshot/watches.hpp"

#include <fcntl.h>
#include <stdlib.h>

#include <filesystem>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace kiln::engine {
namespace {

using ::testing::UnorderedElementsAre;

class WatchesTest : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_NE(mkdtemp(path_.data()), nullptr);
    ASSERT_EQ(system(("cd " + path_ + " && mkdir a b hidden && echo x > a/old").c_str()), 0);
    root_ = io::UniqueFd(open(path_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!watches_.open()) GTEST_SKIP() << watches_.why();
    for (const char* path : {"", "a", "b"}) ASSERT_TRUE(watches_.add(root_.get(), path)) << watches_.why();
  }
  void TearDown() override { std::filesystem::remove_all(path_); }

  // What there is doubt about after `script`.
  std::string after(const std::string& script) {
    watches_.forget_doubt();
    watches_.touched().clear();
    EXPECT_EQ(system(("cd " + path_ + " && " + script).c_str()), 0);
    watches_.drain(ProtectedPaths({"/hidden", "/a/kept"}));
    return watches_.doubt();
  }

  std::string path_ = "/var/tmp/kiln-watches.XXXXXX";
  io::UniqueFd root_;
  Watches watches_;
};

TEST_F(WatchesTest, SureOfFilesThatStay) {
  EXPECT_EQ(after("echo y >> a/old; echo z > b/new; ln -s x b/link; chmod 600 a/old"), "");
  EXPECT_THAT(watches_.touched(), UnorderedElementsAre("a", "b"));
  EXPECT_EQ(after("echo q > b/.new; mv b/.new b/new; rm a/old; rm b/link"), "");
  EXPECT_EQ(after("echo q > a/kept; rm a/kept; mkdir hidden/x"), "");
  EXPECT_THAT(watches_.touched(), UnorderedElementsAre());
}

TEST_F(WatchesTest, InDoubtAboutWhatWentUnseen) {
  EXPECT_EQ(after("echo x > b/t; rm b/t"), "a file came and went");
  EXPECT_EQ(after("echo x > b/t; echo x > b/u; mv b/u b/t"), "a new file was replaced");
  EXPECT_EQ(after("echo x > b/v; mv b/v hidden/v"), "a new file was moved out of sight");
  EXPECT_FALSE(watches_.stale());
  EXPECT_EQ(after("mkdir b/d"), "a directory was made");
  EXPECT_FALSE(watches_.stale());
  EXPECT_EQ(after("mv b/d a/d"), "a directory was moved");
  EXPECT_TRUE(watches_.stale());
}

TEST_F(WatchesTest, DirectoriesThatGoAreNotWatchedAnyMore) {
  EXPECT_EQ(after("rm -r b"), "");
  EXPECT_FALSE(watches_.watched("b"));
  EXPECT_TRUE(watches_.watched("a"));
}

}  // namespace
}  // namespace kiln::engine
