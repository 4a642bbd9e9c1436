#include "tools/command/executor.hpp"

#include <filesystem>
#include <fstream>

#include <gtest/gtest.h>

#include "io/base/error.hpp"
#include "tools/command/flags.hpp"

namespace kiln::tools {
namespace {

class Executor : public ::testing::Test {
 protected:
  void SetUp() override {
    directory_ = std::filesystem::temp_directory_path() / ("kiln-flags-" + std::to_string(getpid()));
    std::filesystem::create_directories(directory_);
    std::ofstream(directory_ / "Dockerfile") << "FROM scratch\n";
  }
  void TearDown() override { std::filesystem::remove_all(directory_); }
  ExecutorCommand parse(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), {"-c", directory_});
    return parse_executor(arguments);
  }
  std::string error_of(const std::vector<std::string>& arguments) {
    try {
      parse(arguments);
    } catch (const io::Error& error) {
      return error.message();
    }
    return "";
  }
  std::filesystem::path directory_;
};

TEST_F(Executor, KanikosSyntax) {
  const auto command =
      parse({"-d", "a/b:1", "--destination=c/d:2", "--build-arg", "A=b=c", "--build-arg=D,e=f", "--reproducible",
             "--single-snapshot=false", "--label", "x=y", "-v", "debug", "--registry-map", "docker.io=m1;docker.io=m2/p",
             "--registry-mirror=m3", "--ignore-var-run=false", "--compression-level=9", "--snapshotMode=redo"});
  const auto& request = command.request;
  EXPECT_EQ(request.destinations, (std::vector<std::string>{"a/b:1", "c/d:2"}));
  EXPECT_EQ(request.build_args.at("A"), "b=c");
  EXPECT_EQ(request.build_args.at("D,e"), "f");
  EXPECT_TRUE(request.reproducible);
  EXPECT_FALSE(request.single_snapshot);
  EXPECT_FALSE(request.ignore_var_run);
  EXPECT_EQ(request.registries.mirrors.at("docker.io"), (std::vector<std::string>{"m1", "m2/p"}));
  EXPECT_EQ(request.registries.mirrors.at("index.docker.io"), (std::vector<std::string>{"m3"}));
  EXPECT_EQ(request.compression.level, 9);
  EXPECT_EQ(request.snapshot_mode, engine::SnapshotMode::redo);
  EXPECT_EQ(command.log.level, "debug");
}

TEST_F(Executor, RefusalsNameTheFlag) {
  EXPECT_NE(error_of({"--no-push", "--destinatoin", "x"}).find("did you mean --destination?"), std::string::npos);
  EXPECT_NE(error_of({"--no-push", "--cache=true"}).find("--cache"), std::string::npos);
  EXPECT_EQ(error_of({"--no-push", "--cache=false"}), "");
  EXPECT_NE(error_of({"--no-push", "--snapshot-mode=quick"}).find("--snapshot-mode"), std::string::npos);
  EXPECT_NE(error_of({"--no-push", "--label", "novalue"}).find("--label"), std::string::npos);
  EXPECT_NE(error_of({}).find("--destination"), std::string::npos);
  EXPECT_NE(error_of({"--no-push", "-c", "ftp://host/archive"}).find("ftp://"), std::string::npos);
  EXPECT_NE(error_of({"--no-push", "--reproducible=maybe"}).find("--reproducible"), std::string::npos);
  EXPECT_NE(error_of({"--no-push", "--compression-level=10"}).find("gzip has 1 to 9"), std::string::npos);
  EXPECT_NE(error_of({"--no-push", "--git", "depth=all"}).find("--git=depth=all"), std::string::npos);
}

TEST_F(Executor, PlacesThatAreNone) {
  const std::vector<std::pair<std::vector<std::string>, std::string>> cases = {
      {{"--no-push", "-c", ""}, "--context is empty: name a directory or a URL, or a --bucket"},
      {{"--no-push", "-c", "/proc/nowhere"}, "--context=/proc/nowhere: No such file or directory"},
      {{"--no-push", "-c", directory_ / "Dockerfile"},
       "--context=" + (directory_ / "Dockerfile").string() + ": it is no directory; an archive is given as tar://PATH"},
      {{"-d", "http://host/a"}, "--destination=http://host/a: bad image reference 'http://host/a': 'http:' is not a registry"},
      {{"-d", "host/a@sha256:" + std::string(64, '0')},
       "--destination=host/a@sha256:" + std::string(64, '0') + ": an image is pushed to a tag; leave out the digest"},
      {{"--no-push", "--digest-file", "http://host/x"}, "--digest-file=http://host/x: it is a file or an https:// URL"},
      {{"--no-push", "--image-name-with-digest-file", "x"},
       "--image-name-with-digest-file=x: without a --destination there is no name"},
      {{"--no-push", "--cache", "--cache-repo", "oci:"}, "--cache-repo=oci:: a path is missing"},
      {{"--no-push", "--registry-mirror", "ftp://host"},
       "--registry-mirror=ftp://host: a registry is written HOST[:PORT], without a scheme"},
      {{"--no-push", "--insecure-registry", "https://"}, "--insecure-registry=https://: a host is missing"},
  };
  for (const auto& [arguments, message] : cases) EXPECT_EQ(error_of(arguments), message);
}

// "/" may change under the current directory.
TEST_F(Executor, PathsAreAbsolute) {
  const std::string here = std::filesystem::current_path();
  const auto command = parse({"-d", "a/b", "--tar-path=a/../x.tar", "--oci-layout-path", "layout", "--digest-file", "digest",
                              "--cache", "--cache-repo=oci:cache", "--cache-dir=dir", "--trace-file=trace", "--work-dir=work"});
  EXPECT_EQ(command.request.tar_path, here + "/x.tar");
  EXPECT_EQ(command.request.oci_layout_path, here + "/layout");
  EXPECT_EQ(command.request.digest_file, here + "/digest");
  EXPECT_EQ(command.request.cache.repository, "oci:" + here + "/cache");
  EXPECT_EQ(command.request.cache_mounts_directory, here + "/dir/kiln-cache-mounts");
  EXPECT_EQ(command.request.work_directory, here + "/work");
  EXPECT_EQ(command.run.trace_file, here + "/trace");
  EXPECT_EQ(parse({"--no-push", "--digest-file=https://host/x"}).request.digest_file, "https://host/x");
  EXPECT_EQ(parse({"--no-push", "--digest-file=/dev/stdout"}).request.digest_file, "/dev/stdout");
}

TEST_F(Executor, RegistriesWithASchemeAreUnderstood) {
  const auto registries = parse({"--no-push", "--registry-mirror=http://mirror:5000/hub/", "--registry-map=quay.io=https://other/q",
                                 "--skip-tls-verify-registry=https://third"})
                              .request.registries;
  EXPECT_EQ(registries.mirrors.at("index.docker.io"), std::vector<std::string>{"mirror:5000/hub"});
  EXPECT_EQ(registries.mirrors.at("quay.io"), std::vector<std::string>{"other/q"});
  EXPECT_EQ(registries.insecure, std::set<std::string>{"mirror:5000"});
  EXPECT_EQ(registries.skip_tls_verify, std::set<std::string>{"third"});
}

TEST_F(Executor, WarningsOfWhatHasNoEffect) {
  EXPECT_EQ(parse({"--no-push", "--context-sub-path=a"}).warnings.size(), 1U);
  EXPECT_EQ(parse({"--no-push"}).warnings.size(), 0U);
}

TEST_F(Executor, Sizes) {
  EXPECT_EQ(parse_size("--x", "64k"), 65536U);
  EXPECT_EQ(parse_size("--x", "2G"), 2147483648U);
  EXPECT_THROW(parse_size("--x", "many"), io::Error);
}

}  // namespace
}  // namespace kiln::tools
