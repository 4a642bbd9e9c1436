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

TEST(GitReference, FlagsOfAdd) {
  GitReference reference = *parse_git_reference("https://h/x.git?checksum=abc");
  add_git_flags(reference, "abc", true);
  EXPECT_EQ(reference.checksum, "abc");
  EXPECT_EQ(reference.keep_git_dir, true);
  EXPECT_THROW(add_git_flags(reference, "abd", true), io::Error);
  GitReference without = *parse_git_reference("https://h/x.git?keep-git-dir=false");
  EXPECT_THROW(add_git_flags(without, std::nullopt, true), io::Error);
  add_git_flags(without, std::nullopt, false);
  EXPECT_EQ(without.keep_git_dir, false);
}

// What `git ls-remote` prints; rules of gitrevisions(7).
TEST(GitReference, CommitsOfAServer) {
  const std::string a(40, 'a'), b(40, 'b'), c(40, 'c'), d(40, 'd');
  const std::string listing = a + "\tHEAD\n" + b + "\trefs/heads/feature/main\n" + a + "\trefs/heads/main\n" + d +
                              "\trefs/heads/v1\n" + c + "\trefs/tags/v1\n" + b + "\trefs/tags/v1^{}\nwarning: x\n";
  struct Case {
    const char* ref;
    std::string commit;
    std::string tag;
  };
  for (const auto& item : std::vector<Case>{{"HEAD", a, ""},
                                            {"main", a, ""},
                                            {"feature/main", b, ""},
                                            {"heads/main", a, ""},
                                            {"refs/heads/v1", d, ""},
                                            {"v1", b, c},
                                            {"refs/tags/v1", b, c}}) {
    const auto found = find_git_commit(listing, item.ref);
    ASSERT_TRUE(found) << item.ref;
    EXPECT_EQ(found->commit, item.commit) << item.ref;
    EXPECT_EQ(found->tag, item.tag) << item.ref;
  }
  for (const char* ref : {"ature/main", "v2", ""}) EXPECT_FALSE(find_git_commit(listing, ref)) << ref;
  EXPECT_FALSE(find_git_commit("", "HEAD"));
  EXPECT_TRUE((GitCommit{b, c}.matches("bb")));
  EXPECT_TRUE((GitCommit{b, c}.matches("cc")));
  EXPECT_TRUE((GitCommit{b, ""}.matches("")));
  EXPECT_FALSE((GitCommit{b, ""}.matches("cc")));
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
