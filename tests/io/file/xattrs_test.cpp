#include "io/file/xattrs.hpp"

#include <fcntl.h>
#include <sys/xattr.h>

#include <cerrno>
#include <filesystem>
#include <string>

#include <gtest/gtest.h>

#include "io/base/fd.hpp"
#include "tests/support/temporary_directory.hpp"

namespace kiln::io {
namespace {

namespace fs = std::filesystem;

class XattrsTest : public ::testing::Test {
 protected:
  XattrsTest() {
    directory_ = UniqueFd(open(base_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    file_ = UniqueFd(openat(directory_.get(), "file", O_CREAT | O_RDWR | O_CLOEXEC, 0600));
  }

  bool set(const std::string& name, const std::string& value) {
    return fsetxattr(file_.get(), name.c_str(), value.data(), value.size(), 0) == 0;
  }

  const testing::TemporaryDirectory temporary_;
  const fs::path& base_ = temporary_.path();
  UniqueFd directory_;
  UniqueFd file_;
};

TEST_F(XattrsTest, AreReadByDescriptorAndByName) {
  EXPECT_EQ(xattrs_of(file_.get()), XattrMap());
  EXPECT_EQ(xattrs_at(directory_.get(), "file"), XattrMap());
  if (!set("user.empty", "")) GTEST_SKIP() << "this file system has no user attributes";
  ASSERT_TRUE(set("user.bytes", std::string("a\0b", 3)));
  const XattrMap expected = {{"user.empty", ""}, {"user.bytes", std::string("a\0b", 3)}};
  EXPECT_EQ(xattrs_of(file_.get()), expected);
  EXPECT_EQ(xattrs_at(directory_.get(), "file"), expected);
}

TEST_F(XattrsTest, MayBeLarge) {
  if (!set("user.large", std::string(2000, 'x'))) GTEST_SKIP() << "this file system has no user attributes of that size";
  for (int i = 0; i < 12; ++i) set("user." + std::string(100, static_cast<char>('a' + i)), "");  // a list of more than 1 KiB
  const auto found = xattrs_at(directory_.get(), "file");
  ASSERT_TRUE(found);
  EXPECT_GE(found->size(), 2U);
  EXPECT_EQ(found->at("user.large"), std::string(2000, 'x'));
  EXPECT_EQ(xattrs_of(file_.get()), *found);
}

TEST_F(XattrsTest, OfALinkAreItsOwn) {
  if (!set("user.of-the-file", "x")) GTEST_SKIP() << "this file system has no user attributes";
  fs::create_symlink("file", base_ / "link");
  EXPECT_EQ(xattrs_at(directory_.get(), "link").value_or(XattrMap()), XattrMap());
}

TEST_F(XattrsTest, OfNothingTellWhy) {
  EXPECT_FALSE(xattrs_at(directory_.get(), "missing"));
  EXPECT_EQ(errno, ENOENT);
}

}  // namespace
}  // namespace kiln::io
