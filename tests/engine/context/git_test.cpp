#include "engine/context/git.hpp"

#include <cstdlib>

#include <gtest/gtest.h>

#include "io/base/error.hpp"

namespace kiln::engine {
namespace {

TEST(GitContext, Forms) {
  struct Case {
    const char* text;
    const char* url;
    const char* login;
    const char* ref;
    const char* commit;
  };
  for (const char* name : {"GIT_PULL_METHOD", "GIT_TOKEN", "GIT_USERNAME"}) unsetenv(name);
  const Case cases[] = {
      {"git://host/a/b.git", "https://host/a/b.git", "", "", ""},
      {"git://host/a#refs/heads/x", "https://host/a", "", "refs/heads/x", ""},
      {"git://host/a#main#0123", "https://host/a", "", "main", "0123"},
      {"git://tok%40en@host/a", "https://host/a", "tok@en:", "", ""},
      {"https://user:pass@host:8443/a.git", "https://host:8443/a.git", "user:pass", "", ""},
      {"git@host:a/b.git#main#0123", "git@host:a/b.git", "", "main", "0123"},
      {"ssh://git@host:2222/a/b", "ssh://git@host:2222/a/b", "", "", ""},
  };
  for (const auto& each : cases) {
    const GitPlace place = parse_git_context(each.text);
    EXPECT_EQ(place.url, each.url) << each.text;
    EXPECT_EQ(place.login, each.login) << each.text;
    EXPECT_EQ(place.ref, each.ref) << each.text;
    EXPECT_EQ(place.commit, each.commit) << each.text;
  }
  EXPECT_THROW(parse_git_context("git://host/a#--upload-pack=x"), io::Error);
  EXPECT_THROW(parse_git_context("-oProxyCommand=x@host:y"), io::Error);
}

TEST(GitContext, Options) {
  for (const auto& [key, value] : {std::pair("branch", "x"), std::pair("depth", "0"), std::pair("recurse-submodules", "true"),
                                   std::pair("insecure-skip-tls", "1")}) {
    EXPECT_NO_THROW(check_git_option(key, value)) << key;
  }
  for (const auto& [key, value] :
       {std::pair("branch", "-x"), std::pair("depth", "all"), std::pair("single-branch", "yes"), std::pair("x", "true")}) {
    EXPECT_THROW(check_git_option(key, value), io::Error) << key;
  }
}

TEST(RemoteContext, Schemes) {
  for (const char* text : {"tar:///x.tar.gz", "tar://stdin", "https://host/x.tar.gz", "git://host/x", "http://host/x.git#main",
                           "s3://b/k", "gs://b", "https://a.blob.core.windows.net/c/b", "git@host:a/b.git", "ssh://host/x"}) {
    EXPECT_TRUE(is_remote_context(text)) << text;
  }
  for (const char* text : {"/x", ".", "dir:///x"}) EXPECT_FALSE(is_remote_context(text)) << text;
  for (const char* text : {"ftp://host/x.tar.gz", "http://host/x.tar.gz"}) EXPECT_THROW(is_remote_context(text), io::Error) << text;
}

}  // namespace
}  // namespace kiln::engine
