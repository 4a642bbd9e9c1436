#include "engine/rootfs/spread_directory.hpp"

#include <fcntl.h>
#include <sys/fsuid.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "io/base/fd.hpp"
#include "tests/support/temporary_directory.hpp"

namespace kiln::engine {
namespace {

namespace fs = std::filesystem;

class SpreadDirectory : public ::testing::Test {
 protected:
  SpreadDirectory() { parent_ = io::UniqueFd(open(base_.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC)); }

  std::vector<std::string> names() const {
    std::vector<std::string> names;
    for (const auto& entry : fs::recursive_directory_iterator(base_)) names.push_back(entry.path().filename());
    return names;
  }

  const testing::TemporaryDirectory temporary_;
  const fs::path& base_ = temporary_.path();
  io::UniqueFd parent_;
};

TEST_F(SpreadDirectory, MakesOneDirectoryAndLeavesNothingElse) {
  ASSERT_EQ(make_spread_directory(parent_.get(), "usr", 0751), 0);
  EXPECT_EQ(names(), std::vector<std::string>{"usr"});
  EXPECT_EQ(fs::status(base_ / "usr").permissions(), fs::perms(0751));
}

// Every creation is too slow, so all places are tried.
TEST_F(SpreadDirectory, GivesUpWhereNoPlaceIsFast) {
  ASSERT_EQ(make_spread_directory(parent_.get(), "usr", 0751, std::chrono::nanoseconds(0)), 0);
  EXPECT_EQ(names(), std::vector<std::string>{"usr"});
  EXPECT_EQ(fs::status(base_ / "usr").permissions(), fs::perms(0751));
}

TEST_F(SpreadDirectory, FailsAsMkdirDoes) {
  fs::create_directory(base_ / "there");
  EXPECT_EQ(make_spread_directory(parent_.get(), "there", 0755), -1);
  EXPECT_EQ(errno, EEXIST);
  EXPECT_EQ(make_spread_directory(parent_.get(), "missing/below", 0755), -1);
  EXPECT_EQ(errno, ENOENT);
}

// As /tmp may be where pods run as another user than root.
TEST_F(SpreadDirectory, NeedsNoMoreThanAWayIntoTheParent) {
  fs::permissions(base_, fs::perms(0733));
  const int user = setfsuid(geteuid() == 0 ? 12345 : geteuid());  // of this thread, and without root's capabilities for files
  EXPECT_NO_THROW(make_spread_directory(base_ / "work"));
  setfsuid(user);
  EXPECT_TRUE(fs::is_directory(base_ / "work"));
}

TEST_F(SpreadDirectory, MakesParentsOfAPath) {
  make_spread_directory(base_ / "a/b/c");
  EXPECT_TRUE(fs::is_directory(base_ / "a/b/c"));
  make_spread_directory(base_ / "a/b/c");  // is there already
  EXPECT_EQ(names(), (std::vector<std::string>{"a", "b", "c"}));
}

}  // namespace
}  // namespace kiln::engine
