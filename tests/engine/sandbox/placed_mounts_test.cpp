#include "engine/sandbox/placed_mounts.hpp"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <string>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "io/base/error.hpp"

namespace kiln::engine {
namespace {

namespace fs = std::filesystem;

void write(const std::string& path, const std::string& text) { std::ofstream(path) << text; }

std::string read(const std::string& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

class PlacedMountsTest : public testing::Test {
 protected:
  PlacedMountsTest() {
    std::string path = testing::TempDir() + "/placed-XXXXXX";
    base_ = mkdtemp(path.data());
    root_ = base_ + "/root";
    fs::create_directories(root_ + "/etc");
    fs::create_directories(root_ + "/opt/data");
    write(root_ + "/etc/passwd", "root");
    write(root_ + "/opt/data/one", "1");
    for (const char* directory : {"", "/etc", "/opt", "/opt/data"}) {
      const timespec times[2] = {{1000, 5}, {2000, 7}};
      utimensat(AT_FDCWD, (root_ + directory).c_str(), times, 0);
    }
    fd_ = io::UniqueFd(open(root_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  }
  ~PlacedMountsTest() override { fs::remove_all(base_); }

  // Every path with its type, mode, mtime and bytes.
  std::map<std::string, std::string> state() const {
    std::map<std::string, std::string> found;
    for (const auto& entry : fs::recursive_directory_iterator(root_)) {
      struct stat status{};
      lstat(entry.path().c_str(), &status);
      found[entry.path()] = fmt::format("{:o} {}.{} {}", status.st_mode, status.st_mtim.tv_sec, status.st_mtim.tv_nsec,
                                        entry.is_regular_file() ? read(entry.path()) : "");
    }
    return found;
  }

  SandboxMount mount(SandboxMount::Kind kind, const std::string& target) const {
    SandboxMount made;
    made.kind = kind;
    made.name = target;
    made.target = target;
    made.bytes = "secret";
    return made;
  }
  SandboxMount cache(const std::string& target) {
    fs::create_directories(base_ + "/cache/data");
    SandboxMount made = mount(SandboxMount::Kind::cache, target);
    made.source = base_ + "/cache/data";
    return made;
  }

  std::string base_, root_;
  io::UniqueFd fd_;
  Tree tree_;
  ProtectedPaths keep_{std::set<std::string>{"/proc", "/var/run"}};
};

TEST_F(PlacedMountsTest, NothingStays) {
  const auto before = state();
  PlacedMounts placed(fd_.get(), tree_, keep_, base_ + "/aside");
  placed.place({cache("a/b/cache"), mount(SandboxMount::Kind::file, "etc/passwd"), mount(SandboxMount::Kind::tmpfs, "opt"),
                mount(SandboxMount::Kind::file, "opt/new/secret")});
  EXPECT_EQ(read(root_ + "/etc/passwd"), "secret");
  EXPECT_EQ(read(root_ + "/opt/new/secret"), "secret");
  EXPECT_FALSE(fs::exists(root_ + "/opt/data"));
  write(root_ + "/a/b/cache/kept", "x");
  write(root_ + "/opt/left", "x");
  placed.take_back();
  EXPECT_EQ(state(), before);
  EXPECT_EQ(read(base_ + "/cache/data/kept"), "x");
}

TEST_F(PlacedMountsTest, WhatTheCommandMadeStays) {
  PlacedMounts placed(fd_.get(), tree_, keep_, base_ + "/aside");
  placed.place({mount(SandboxMount::Kind::file, "new/secret")});
  write(root_ + "/new/beside", "x");
  placed.take_back();
  EXPECT_EQ(read(root_ + "/new/beside"), "x");
  EXPECT_FALSE(fs::exists(root_ + "/new/secret"));
}

TEST_F(PlacedMountsTest, ARenamedDirectoryTakesNoSecretWithIt) {
  PlacedMounts placed(fd_.get(), tree_, keep_, base_ + "/aside");
  placed.place({mount(SandboxMount::Kind::file, "opt/secret")});
  fs::rename(root_ + "/opt", root_ + "/elsewhere");
  placed.take_back();
  EXPECT_FALSE(fs::exists(root_ + "/elsewhere/secret"));
  EXPECT_TRUE(fs::exists(root_ + "/elsewhere/data/one"));
}

TEST_F(PlacedMountsTest, MountsOfThePodAreRefused) {
  for (const char* target : {"var/run", "var", "proc"}) {
    PlacedMounts placed(fd_.get(), tree_, keep_, base_ + "/aside");
    EXPECT_THROW(placed.place({mount(SandboxMount::Kind::tmpfs, target)}), io::Error) << target;
    placed.take_back();
  }
}

}  // namespace
}  // namespace kiln::engine
