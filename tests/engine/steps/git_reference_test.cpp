#include "engine/steps/git_reference.hpp"

#include <vector>

#include <gtest/gtest.h>

#include "engine/steps/remote_sources.hpp"
#include "io/base/error.hpp"

namespace kiln::engine {
namespace {

TEST(GitReference, Forms) {
  struct Case {
    const char* text;
    const char* remote;
    const char* ref;
    const char* subdir;
    const char* checksum;
  };
  for (const auto& item : std::vector<Case>{
           {"https://h/x.git", "https://h/x.git", "", "", ""},
           {"http://h/x.git#v1", "http://h/x.git", "v1", "", ""},
           {"https://h/x.git#v1:a/b/", "https://h/x.git", "v1", "a/b", ""},
           {"https://h/x.git#:a", "https://h/x.git", "", "a", ""},
           {"https://h/x.git?ref=v1&subdir=/a/../b", "https://h/x.git", "v1", "b", ""},
           {"https://h/x.git?tag=v1", "https://h/x.git", "refs/tags/v1", "", ""},
           {"https://h/x.git?branch=a%2Fb", "https://h/x.git", "refs/heads/a/b", "", ""},
           {"https://h/x.git?commit=abc123", "https://h/x.git", "", "", "abc123"},
           {"https://h/x.git?checksum=abc123#v1", "https://h/x.git", "v1", "", "abc123"},
           {"git://h/x", "git://h/x", "", "", ""},
           {"ssh://git@h:22/x#b:d", "ssh://git@h:22/x", "b", "d", ""},
           {"git@github.com:o/r.git#main", "git@github.com:o/r.git", "main", "", ""},
           {"me@host-1.example:r", "me@host-1.example:r", "", "", ""},
       }) {
    const auto reference = parse_git_reference(item.text);
    ASSERT_TRUE(reference) << item.text;
    EXPECT_EQ(reference->remote, item.remote) << item.text;
    EXPECT_EQ(reference->ref, item.ref) << item.text;
    EXPECT_EQ(reference->subdir, item.subdir) << item.text;
    EXPECT_EQ(reference->checksum, item.checksum) << item.text;
    EXPECT_FALSE(is_download(item.text)) << item.text;
  }
}

TEST(GitReference, OtherSources) {
  for (const char* text : {"x", "a/b.git", "./x.git", "github.com/o/r", "a@b", "a:b", "@h:x", "file.git", "C:/x"}) {
    EXPECT_FALSE(parse_git_reference(text)) << text;
    EXPECT_FALSE(is_download(text)) << text;
  }
  for (const char* text : {"https://h/x", "http://h/x.git/y", "https://h/x.tar.gz#y.git", "https://h/x?y=z.git"}) {
    EXPECT_FALSE(parse_git_reference(text)) << text;
    EXPECT_TRUE(is_download(text)) << text;
  }
  for (const char* bad : {"https://h/x.git?bogus=1", "https://h/x.git?ref=a&ref=b", "https://h/x.git?ref=a&tag=a",
                          "https://h/x.git?ref=a#b", "https://h/x.git#--upload-pack=x", "https://h/x.git?checksum=xyz",
                          "https://h/x.git?keep-git-dir=2", "https://h/x.git?mtime=now"}) {
    EXPECT_THROW(parse_git_reference(bad), io::Error) << bad;
  }
}

TEST(Download, Names) {
  struct Case {
    const char* url;
    const char* name;
  };
  for (const auto& item : std::vector<Case>{{"http://h/a/b.txt", "b.txt"},
                                            {"http://h/a%20b?x=/y", "a b"},
                                            {"http://h/a/", "a"},
                                            {"http://h/", "__unnamed__"},
                                            {"http://h?x", "__unnamed__"},
                                            {"http://h/a/..", "__unnamed__"}}) {
    EXPECT_EQ(download_name(item.url), item.name) << item.url;
  }
}

}  // namespace
}  // namespace kiln::engine
