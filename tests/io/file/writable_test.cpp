#include "io/file/writable.hpp"

#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <string>

#include <gtest/gtest.h>

#include "io/base/error.hpp"

namespace kiln::io {
namespace {

namespace fs = std::filesystem;

class WritableTest : public ::testing::Test {
 protected:
  WritableTest() : base_(testing::TempDir() + "/kiln-writable-" + std::to_string(getpid())) {
    fs::create_directories(base_ + "/directory");
    std::ofstream(base_ + "/file") << "kept";
    mkfifo((base_ + "/pipe").c_str(), 0600);
  }
  ~WritableTest() override { fs::remove_all(base_); }

  template <class Check>
  std::string error_of(const std::string& name, Check check) const {
    try {
      check(base_ + "/" + name);
    } catch (const Error& error) {
      const std::string text = error.message();
      const auto after = text.find("written: ");
      std::string reason = text.substr(after + 9);
      if (const auto at = reason.find(base_); at != std::string::npos) reason.replace(at, base_.size(), "BASE");
      return reason;
    }
    return "";
  }

  std::string base_;
};

TEST_F(WritableTest, Files) {
  const auto check = [](const std::string& path) { check_writable_file(path); };
  EXPECT_EQ(error_of("new", check), "");
  EXPECT_EQ(error_of("file", check), "");
  EXPECT_EQ(error_of("pipe", check), "") << "not opened: nobody reads yet";
  EXPECT_EQ(error_of("directory", check), "it is a directory");
  EXPECT_EQ(error_of("none/new", check), "BASE/none: No such file or directory");
  EXPECT_EQ(error_of("file/new", check), "BASE/file is no directory");
  EXPECT_EQ(error_of("../../../../../../../proc/new", check).rfind("nothing can be made in ", 0), 0U);
  EXPECT_EQ(std::distance(fs::directory_iterator(base_), {}), 3) << "nothing is left";
}

TEST_F(WritableTest, WhatIsMadeWithItsParents) {
  const auto file = [](const std::string& path) { check_writable_file(path, MissingParents::made); };
  EXPECT_EQ(error_of("a/b/new", file), "");
  EXPECT_EQ(error_of("file/b/new", file), "BASE/file/b: Not a directory");
  EXPECT_EQ(error_of("a/b", check_writable_directory), "");
  EXPECT_EQ(error_of("directory", check_writable_directory), "");
  EXPECT_EQ(error_of("file", check_writable_directory), "BASE/file is no directory");
  EXPECT_FALSE(fs::exists(base_ + "/a"));
}

}  // namespace
}  // namespace kiln::io
