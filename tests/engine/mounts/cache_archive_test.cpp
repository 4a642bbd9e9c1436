#include "engine/mounts/cache_archive.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <random>

#include <gtest/gtest.h>

#include "engine/mounts/chunker.hpp"
#include "io/base/error.hpp"
#include "io/file/read_file.hpp"

namespace kiln::engine {
namespace {

namespace fs = std::filesystem;

std::string line(const std::string& rest) { return "d 755 0 0 0 0 \n" + rest + "\n"; }

TEST(CacheIndex, ComesBack) {
  CachedFile top, file, link;
  top.type = 'd';
  file.path = "a b%\n";
  file.mode = 04750;
  file.uid = 5;
  file.mtime = -1'500'000'000;
  file.size = 7;
  link.type = 'l';
  link.path = "link";
  link.target = "/some where";
  const auto back = parse_index(write_index({top, file, link}));
  ASSERT_EQ(back.size(), 3U);
  EXPECT_EQ(back[1].path, file.path);
  EXPECT_EQ(back[1].mode, file.mode);
  EXPECT_EQ(back[1].mtime, file.mtime);
  EXPECT_EQ(back[1].size, 7U);
  EXPECT_EQ(back[2].target, link.target);
}

TEST(CacheIndex, RefusesWhatLeadsElsewhere) {
  for (const char* bad :
       {"f 644 0 0 0 0 ..", "f 644 0 0 0 0 ..%2Fx", "f 644 0 0 0 0 %2Fetc", "f 644 0 0 0 0 a%2Fb", "f 644 0 0 0 0 a%2F..%2Fb",
        "l 777 0 0 0 0 a %2F\nf 644 0 0 0 0 a%2Fb", "f 644 0 0 0 0 a\nf 644 0 0 0 0 a", "h 644 0 0 0 0 a b",
        "h 644 0 0 0 0 a %2Fetc%2Fpasswd", "c 644 0 0 0 0 a", "f 644 0 0 0 -1 a", "f 644 0 0 0 a", "l 777 0 0 0 0 a",
        "f 644 0 0 0 0 a b", "d 755 0 0 0 0 ", "f 644 0 0 0 18446744073709551615 a", "f 644 0 0 0 0 a%00b", "d 755 0 0 0 0 ."}) {
    EXPECT_THROW(parse_index(line(bad)), io::Error) << bad;
  }
  EXPECT_THROW(parse_index(""), io::Error);
  EXPECT_THROW(parse_index("f 644 0 0 0 0 a\n"), io::Error);
  EXPECT_THROW(parse_index("d 755 0 0 0 0 "), io::Error);
  EXPECT_EQ(parse_index(line("f 644 0 0 0 0 a")).size(), 2U);
}

class CacheTree : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = fs::temp_directory_path() / "kiln-cache-XXXXXX";
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    root_ = pattern;
    fs::create_directory(root_ / "from");
    fs::create_directory(root_ / "to");
  }
  void TearDown() override { fs::remove_all(root_); }
  void write(const std::string& name, const std::string& text) { std::ofstream(root_ / "from" / name) << text; }
  std::string from() const { return root_ / "from"; }
  std::string to() const { return root_ / "to"; }
  fs::path root_;
};

TEST_F(CacheTree, ComesBack) {
  fs::create_directories(root_ / "from/dir/empty");
  write("one", "first");
  write("empty", "");
  write("dir/two", std::string(100'000, 'x'));
  fs::create_hard_link(root_ / "from/one", root_ / "from/dir/hard");
  fs::create_symlink("../one", root_ / "from/dir/soft");
  chmod((from() + "/dir/two").c_str(), 0700);
  const timespec times[2] = {{1'000, 5}, {1'000, 5}};
  utimensat(AT_FDCWD, (from() + "/dir").c_str(), times, 0);
  const auto files = parse_index(write_index(list_cache(from())));
  EXPECT_EQ(content_size(files), 100'005U);
  CacheContents contents(from(), files);
  CacheRestore restore(to(), files);
  std::vector<std::byte> buffer(777);
  while (const std::size_t count = contents.read(buffer)) restore.write(io::Bytes(buffer).first(count));
  restore.finish();
  EXPECT_EQ(write_index(list_cache(to())), write_index(files));
  EXPECT_EQ(io::read_file(to() + "/dir/two"), std::string(100'000, 'x'));
  EXPECT_EQ(io::read_file(to() + "/dir/hard"), "first");
}

TEST_F(CacheTree, WhatChangesMeanwhileKeepsItsSize) {
  write("one", "first");
  write("two", "second");
  const auto files = list_cache(from());
  write("one", "1");
  fs::remove(root_ / "from/two");
  CacheContents contents(from(), files);
  std::vector<std::byte> buffer(100);
  EXPECT_EQ(contents.read(buffer), 11U);
}

TEST_F(CacheTree, RefusesTooMuchAndTooLittle) {
  const auto files = parse_index(line("f 644 0 0 0 3 a"));
  CacheRestore restore(to(), files);
  restore.write(io::as_bytes("ab"));
  EXPECT_THROW(restore.finish(), io::Error);
  restore.write(io::as_bytes("c"));
  EXPECT_THROW(restore.write(io::as_bytes("d")), io::Error);
}

std::vector<std::string> chunks_of(const Chunker& chunker, std::string_view text) {
  std::vector<std::string> chunks;
  while (!text.empty()) {
    const std::size_t count = chunker.cut(io::as_bytes(text.substr(0, chunker.largest())));
    chunks.emplace_back(text.substr(0, count));
    text.remove_prefix(count);
  }
  return chunks;
}

TEST(Chunks, WhatIsInsertedChangesOnlyWhatIsThere) {
  std::mt19937_64 random(7);
  std::string text;
  while (text.size() < (32U << 20U)) text += static_cast<char>(random());
  const Chunker chunker(1U << 20U);
  const auto before = chunks_of(chunker, text);
  EXPECT_GT(before.size(), 16U);
  EXPECT_LT(before.size(), 64U);
  for (const auto& chunk : before) EXPECT_LE(chunk.size(), chunker.largest());
  text.insert(10U << 20U, "some more bytes");
  const auto after = chunks_of(chunker, text);
  std::size_t fresh = 0;
  for (const auto& chunk : after) fresh += std::ranges::find(before, chunk) == before.end() ? 1 : 0;
  EXPECT_LE(fresh, 3U);
}

TEST(Chunks, AreFewForMuch) {
  EXPECT_EQ(Chunker::average_for(0), 1U << 20U);
  EXPECT_EQ(Chunker::average_for(1U << 30U), 2U << 20U);
  EXPECT_EQ(Chunker::average_for(std::uint64_t{1} << 40U), 8U << 20U);
}

}  // namespace
}  // namespace kiln::engine
