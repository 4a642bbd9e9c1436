#include "io/file/open_beneath.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <fstream>
#include <string>

#include <gtest/gtest.h>

#include "tests/support/temporary_directory.hpp"

namespace kiln::io {
namespace {

namespace fs = std::filesystem;

class OpenBeneath : public ::testing::Test {
 protected:
  OpenBeneath() {
    fs::create_directories(base_ / "root/a/b");
    fs::create_directories(base_ / "root/c");
    for (const char* name : {"outside", "root/top", "root/a/one", "root/a/two", "root/a/b/one", "root/c/one"})
      std::ofstream(base_ / name) << name;
    fs::create_directory_symlink("a", base_ / "root/link");
    fs::create_symlink("one", base_ / "root/a/link");
    root_ = UniqueFd(open((base_ / "root").c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  }

  static std::string text_of(const UniqueFd& file) {
    char text[64] = {};
    return file && read(file.get(), text, sizeof text - 1) >= 0 ? text : "";
  }

  const testing::TemporaryDirectory temporary_;
  const fs::path& base_ = temporary_.path();
  UniqueFd root_;
};

TEST_F(OpenBeneath, NeighboursAreWhatTheirPathsSay) {
  NeighbourOpener opener;
  for (const char* path : {"a/one", "a/two", "top", "a/b/one", "a/one", "c/one"}) {
    EXPECT_EQ(text_of(opener.open(root_.get(), path, O_RDONLY)), "root/" + std::string(path));
  }
  const UniqueFd other(open((base_ / "root/a").c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  EXPECT_EQ(text_of(opener.open(other.get(), "b/one", O_RDONLY)), "root/a/b/one");
}

TEST_F(OpenBeneath, LinksAreNotFollowed) {
  NeighbourOpener opener;
  for (const char* path : {"link/one", "a/link"}) {
    EXPECT_FALSE(opener.open(root_.get(), path, O_RDONLY)) << path;
    EXPECT_TRUE(errno == ELOOP || errno == ENOTDIR) << path;
    EXPECT_FALSE(open_beneath(root_.get(), path, O_RDONLY)) << path;
  }
  EXPECT_FALSE(open_beneath(root_.get(), "../outside", O_RDONLY));
  EXPECT_FALSE(opener.open(root_.get(), "a/missing", O_RDONLY));
  EXPECT_EQ(errno, ENOENT);
  EXPECT_EQ(text_of(opener.open(root_.get(), "a/two", O_RDONLY)), "root/a/two");
}

}  // namespace
}  // namespace kiln::io
