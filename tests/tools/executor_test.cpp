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
}

TEST_F(Executor, Sizes) {
  EXPECT_EQ(parse_size("--x", "64k"), 65536U);
  EXPECT_EQ(parse_size("--x", "2G"), 2147483648U);
  EXPECT_THROW(parse_size("--x", "many"), io::Error);
}

}  // namespace
}  // namespace kiln::tools
