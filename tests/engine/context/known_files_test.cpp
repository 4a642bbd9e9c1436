#include "engine/context/known_files.hpp"

#include <fcntl.h>
#include <sys/stat.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include <gtest/gtest.h>

#include "engine/context/file_memory.hpp"
#include "io/base/error.hpp"
#include "io/base/fd.hpp"
#include "io/file/read_file.hpp"

namespace kiln::engine {
namespace {

namespace fs = std::filesystem;

constexpr std::int64_t second = 1'000'000'000;

KnownFile known(std::uint64_t inode, std::uint16_t used = 20'000) {
  KnownFile file;
  file.file_system = 0x11223344;
  file.used = used;
  file.plain = 1;
  file.inode = inode;
  file.ctime_ns = 1'700'000'000 * second + 5;
  file.size = 0x55;
  file.digest.fill(std::byte{0xaa});
  return file;
}

std::string hex(std::string_view text) { return io::to_hex(io::as_bytes(text)); }

// The format is read by other builds of kiln: what changes here needs a new version.
TEST(KnownFiles, HaveOneFormat) {
  const std::vector<KnownFile> files = {known(7)};
  EXPECT_EQ(hex(serialize(files)),
            "6b696c6e66696c65"                  // "kilnfile"
            "0403020101000000"                  // byte order, version
            "0100000000000000"                  // number
            "e4353e12729abe6151c6485e80c2dbeb"  // XXH3-128 of what follows the header
            "000000000000000000000000000000000000000000000000"
            "44332211"          // file system
            "204e0100"          // day, plain
            "0700000000000000"  // inode
            "05002a36fe9c9717"  // ctime
            "5500000000000000"  // size
            "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa");
  EXPECT_EQ(parse_known_files(io::as_bytes(serialize(files))), files);
  EXPECT_TRUE(parse_known_files(io::as_bytes(serialize({}))).empty());
}

io::ErrorKind refusal(std::string_view bytes) {
  try {
    parse_known_files(io::as_bytes(bytes));
  } catch (const io::Error& error) {
    return error.kind();
  }
  return io::ErrorKind::internal;
}

TEST(KnownFiles, DamageIsFound) {
  const std::vector<KnownFile> files = {known(1), known(2), known(3)};
  const std::string whole = serialize(files);
  for (std::size_t at = 16; at < whole.size(); ++at) {
    if (at >= 40 && at < 64) continue;  // reserved
    std::string broken = whole;
    broken[at] = static_cast<char>(broken[at] ^ 1);
    EXPECT_EQ(refusal(broken), io::ErrorKind::integrity) << at;
  }
  for (std::size_t size = 64; size < whole.size(); ++size)
    EXPECT_EQ(refusal(whole.substr(0, size)), io::ErrorKind::integrity) << size;
  EXPECT_EQ(refusal(whole + "x"), io::ErrorKind::integrity);
  const std::vector<KnownFile> unsorted = {known(2), known(1)};
  EXPECT_EQ(refusal(serialize(unsorted)), io::ErrorKind::integrity);
}

TEST(KnownFiles, WhatIsSomethingElseIsNotCalledDamaged) {
  const std::string whole = serialize(std::vector<KnownFile>{known(1)});
  EXPECT_EQ(refusal(""), io::ErrorKind::unsupported);
  EXPECT_EQ(refusal("#!/bin/sh\n"), io::ErrorKind::unsupported);
  EXPECT_EQ(refusal(std::string(1000, '\0')), io::ErrorKind::unsupported);
  for (const std::size_t at : {0, 8, 12}) {  // magic, byte order, version
    std::string other = whole;
    other[at] = static_cast<char>(other[at] ^ 2);
    EXPECT_EQ(refusal(other), io::ErrorKind::unsupported) << at;
  }
}

TEST(KnownFiles, EveryPartOfAStampCounts) {
  const KnownFiles files({known(1), known(5), known(9)});
  const KnownFile file = known(5);
  ASSERT_NE(files.find(file.file_system, 5, file.ctime_ns, file.size), nullptr);
  EXPECT_EQ(files.find(file.file_system, 5, file.ctime_ns, file.size)->inode, 5U);
  EXPECT_EQ(files.find(file.file_system, 6, file.ctime_ns, file.size), nullptr);
  EXPECT_EQ(files.find(file.file_system + 1, 5, file.ctime_ns, file.size), nullptr);
  EXPECT_EQ(files.find(file.file_system, 5, file.ctime_ns + 1, file.size), nullptr);
  EXPECT_EQ(files.find(file.file_system, 5, file.ctime_ns, file.size + 1), nullptr);
  EXPECT_EQ(KnownFiles().find(file.file_system, 5, file.ctime_ns, file.size), nullptr);
  EXPECT_TRUE(files.used(20'000).empty());
  ASSERT_EQ(files.used(20'001).size(), 1U);
  EXPECT_EQ(files.used(20'001).front().inode, 5U);
}

TEST(KnownFiles, AYoungFileIsNotRemembered) {
  const std::int64_t now = 1'700'000'000 * second + 123;
  EXPECT_TRUE(settled(now - second, now));
  EXPECT_TRUE(settled(now - settling_ns, now));
  EXPECT_FALSE(settled(now - settling_ns + 1, now));
  EXPECT_FALSE(settled(now, now));
  EXPECT_FALSE(settled(now + second, now));            // a clock that was set back
  EXPECT_FALSE(settled(1'600'000'000 * second, now));  // a file system without nanoseconds
}

TEST(KnownFiles, AreMergedWithinALimit) {
  KnownFile changed = known(2, 20'001);
  changed.size = 1;
  const std::vector<KnownFile> fresh = {changed, known(4, 20'001)};
  const std::vector<KnownFile> older = {known(1, 20'000), known(2, 20'000), known(3, 19'000), known(5, 19'999)};
  const auto inodes = [](const std::vector<KnownFile>& files) {
    std::vector<std::uint64_t> all;
    for (const auto& file : files) all.push_back(file.inode);
    return all;
  };
  const auto merged = merge_known_files(fresh, older, 20'001, 1U << 20U);
  EXPECT_EQ(inodes(merged), (std::vector<std::uint64_t>{1, 2, 4, 5}));
  EXPECT_EQ(merged[1].size, 1U);
  EXPECT_EQ(inodes(merge_known_files(fresh, older, 20'001, 64 + 3 * 64)), (std::vector<std::uint64_t>{1, 2, 4}));
  EXPECT_EQ(inodes(merge_known_files(fresh, older, 20'001, 64 + 2 * 64 + 63)), (std::vector<std::uint64_t>{2, 4}));
  EXPECT_TRUE(merge_known_files(fresh, older, 20'001, 0).empty());
}

class MemoryFile : public ::testing::Test {
 protected:
  MemoryFile() {
    char name[] = "/tmp/kiln-memory-XXXXXX";
    directory_ = mkdtemp(name);
    path_ = directory_ + "/below/files";
  }
  ~MemoryFile() override { fs::remove_all(directory_); }

  void write(const std::string& text) const {
    fs::create_directories(fs::path(path_).parent_path());
    std::ofstream(path_, std::ios::binary) << text;
  }
  // One that learns of an inode.
  void learn(std::uint64_t inode) const {
    FileMemory memory(path_);
    memory.add({known(inode)});
    memory.save();
  }
  std::size_t remembered() const {
    FileMemory memory(path_);
    return memory.files()->all().size();
  }

  std::string directory_;
  std::string path_;
};

TEST_F(MemoryFile, IsKeptFromBuildToBuild) {
  EXPECT_EQ(remembered(), 0U);
  learn(1);
  learn(2);
  EXPECT_EQ(remembered(), 2U);
  FileMemory memory(path_);
  const KnownFile file = known(2);
  EXPECT_NE(memory.files()->find(file.file_system, 2, file.ctime_ns, file.size), nullptr);
}

TEST_F(MemoryFile, BuildersAtOnceAddUp) {
  FileMemory one(path_);
  FileMemory other(path_);
  one.add({known(1)});
  other.add({known(2), known(2)});
  one.save();
  other.save();
  EXPECT_EQ(remembered(), 2U);
}

TEST_F(MemoryFile, IsWrittenAnewWhenItIsDamaged) {
  learn(1);
  std::string text = *io::read_file(path_);
  text.back() = static_cast<char>(text.back() ^ 1);
  write(text);
  EXPECT_EQ(remembered(), 0U);
  learn(2);
  EXPECT_EQ(remembered(), 1U);
}

TEST_F(MemoryFile, OfSomebodyElseIsLeftAlone) {
  write("notes");
  learn(1);
  EXPECT_EQ(*io::read_file(path_), "notes");
}

TEST_F(MemoryFile, ThatAnybodyMayWriteToIsNotBelieved) {
  learn(1);
  chmod(path_.c_str(), 0666);
  EXPECT_EQ(remembered(), 0U);
}

TEST_F(MemoryFile, NeedNotBe) {
  FileMemory memory("");
  memory.add({known(1)});
  memory.save();
  EXPECT_EQ(memory.files()->all().size(), 1U);
  EXPECT_TRUE(fs::is_empty(directory_));
}

TEST(FileSystemId, IsOfLocalFileSystems) {
  const auto id_of = [](const char* path) {
    const io::UniqueFd file(open(path, O_RDONLY | O_CLOEXEC));
    return file_system_id(file.get());
  };
  EXPECT_TRUE(id_of("/tmp"));
  EXPECT_EQ(id_of("/tmp"), id_of("/tmp"));
  EXPECT_FALSE(id_of("/proc"));
}

}  // namespace
}  // namespace kiln::engine
