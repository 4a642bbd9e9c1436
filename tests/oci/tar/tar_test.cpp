#include <algorithm>

#include <gtest/gtest.h>

#include "io/base/error.hpp"
#include "oci/tar/reader.hpp"
#include "oci/tar/whiteout.hpp"
#include "oci/tar/writer.hpp"
#include "tests/support/text_source.hpp"

namespace kiln::oci {
namespace {

using testing::TextSource;

std::string archive_of(const TarEntry& entry, const std::string& content) {
  return tar_header(entry) + content + std::string(tar_padding(content.size()), '\0') + std::string(tar_end_size, '\0');
}

void expect_equal(const TarEntry& a, const TarEntry& b) {
  EXPECT_EQ(a.path, b.path);
  EXPECT_EQ(a.type, b.type);
  EXPECT_EQ(a.mode, b.mode);
  EXPECT_EQ(a.uid, b.uid);
  EXPECT_EQ(a.gid, b.gid);
  EXPECT_EQ(a.mtime, b.mtime);
  EXPECT_EQ(a.size, b.size);
  EXPECT_EQ(a.link_target, b.link_target);
  EXPECT_EQ(a.device_major, b.device_major);
  EXPECT_EQ(a.device_minor, b.device_minor);
  EXPECT_EQ(a.xattrs, b.xattrs);
}

std::vector<TarEntry> odd_entries() {
  std::vector<TarEntry> entries(10);
  entries[0].path = "plain";
  entries[1].path = std::string(90, 'd') + "/" + std::string(90, 'n');
  entries[2].path = std::string(300, 'x');
  entries[3].path = "nicht-\xc3\xa4scii";
  entries[4].path = "bytes-\xff\xfe";
  entries[5].path = "caps";
  entries[5].xattrs["security.capability"] = std::string("\x01\x00\x00\x02\x00=\n\x20", 8);
  entries[5].mtime = {1'700'000'000, 123'456'789};
  entries[6].path = "dir";
  entries[6].type = FileType::directory;
  entries[6].mode = 01777;
  entries[6].uid = 3'000'000'000;
  entries[7].path = "link";
  entries[7].type = FileType::symlink;
  entries[7].link_target = "../" + std::string(200, 't');
  entries[7].mode = 0777;
  entries[8].path = "device";
  entries[8].type = FileType::char_device;
  entries[8].device_major = 1;
  entries[8].device_minor = 3;
  entries[9].path = "old";
  entries[9].mtime = {-5, 0};
  return entries;
}

TEST(Tar, WhatIsWrittenIsRead) {
  for (TarEntry entry : odd_entries()) {
    const std::string content = entry.type == FileType::regular ? "content" : "";
    entry.size = content.size();
    TextSource source(archive_of(entry, content));
    TarReader reader(source);
    const auto read = reader.next();
    ASSERT_TRUE(read) << entry.path;
    expect_equal(*read, entry);
    std::string got(20, '\0');
    got.resize(reader.read(std::as_writable_bytes(std::span(got))));
    EXPECT_EQ(got, content);
    EXPECT_FALSE(reader.next());
  }
}

TEST(Tar, GoldenHeader) {
  TarEntry entry;
  entry.path = "a";
  entry.mode = 0644;
  entry.uid = 1;
  entry.gid = 2;
  entry.size = 3;
  entry.mtime = {1, 0};
  const std::string header = tar_header(entry);
  ASSERT_EQ(header.size(), 512U);
  EXPECT_EQ(header.substr(100, 48), std::string("0000644\0000000001\0000000002\00000000000003\00000000000001\0", 48));
  EXPECT_EQ(header.substr(148, 8), std::string("007345\0 ", 8));
  EXPECT_EQ(header.substr(257, 8), std::string("ustar\00000", 8));
}

TEST(Tar, RefusesWhatLeavesTheRoot) {
  TarEntry entry;
  entry.path = "a/../../b";
  TextSource source(archive_of(entry, ""));
  TarReader reader(source);
  EXPECT_THROW(reader.next(), io::Error);
}

TEST(Tar, DamageIsFound) {
  TarEntry entry;
  entry.path = "file";
  entry.size = 10'000;
  TextSource truncated(archive_of(entry, std::string(10'000, 'x')).substr(0, 3000));
  TarReader reader(truncated);
  ASSERT_TRUE(reader.next());
  EXPECT_THROW(
      {
        while (reader.next_block()) {
        }
        reader.next();
      },
      io::Error);
  TextSource garbage(std::string(2048, 'g'));
  EXPECT_THROW(
      {
        TarReader bad(garbage);
        bad.next();
      },
      io::Error);
}

TEST(Whiteout, Kinds) {
  EXPECT_EQ(parse_whiteout("a/.wh.b").path, "a/b");
  EXPECT_EQ(parse_whiteout("a/.wh.b").kind, WhiteoutKind::file);
  EXPECT_EQ(parse_whiteout("a/.wh..wh..opq").kind, WhiteoutKind::opaque);
  EXPECT_EQ(parse_whiteout(".wh..wh..opq").path, "");
  EXPECT_EQ(parse_whiteout("a/b").kind, WhiteoutKind::none);
  EXPECT_EQ(parse_whiteout(".wh..wh.plnk").path, "");
  EXPECT_EQ(whiteout_path("a/b"), "a/.wh.b");
}

}  // namespace
}  // namespace kiln::oci
