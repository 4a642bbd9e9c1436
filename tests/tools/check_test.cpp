#include "tools/command/check.hpp"

#include <stdlib.h>

#include <filesystem>
#include <fstream>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "io/base/error.hpp"

namespace kiln::tools {
namespace {

class CheckCommand : public ::testing::Test {
 protected:
  CheckCommand() {
    std::string name = std::filesystem::temp_directory_path() / "check.XXXXXX";
    directory_ = mkdtemp(name.data());
  }
  ~CheckCommand() override { std::filesystem::remove_all(directory_); }

  void write(const std::string& name, const std::string& text) { std::ofstream(directory_ + "/" + name) << text; }

  // What is printed, and then the exit code.
  std::string run(const std::vector<std::string>& arguments) {
    testing::internal::CaptureStdout();
    const int code = check_main(arguments);
    fflush(stdout);
    return testing::internal::GetCapturedStdout() + std::to_string(code);
  }

  std::string directory_;
};

TEST_F(CheckCommand, TellsFindingsAsText) {
  write("Dockerfile", "FROM a\nCOPY secret /x\n");
  write(".dockerignore", "secret\n");
  EXPECT_EQ(run({directory_}),
            "WARNING: CopyIgnoredFile - https://docs.docker.com/go/dockerfile/rule/copy-ignored-file/\n"
            "Attempting to Copy file \"secret\" that is excluded by .dockerignore\n"
            "Dockerfile:2\n"
            "   1 |     FROM a\n"
            "   2 | >>> COPY secret /x\n"
            "     |     ^^^^^^^^^^^^^^\n\n"
            "Check complete, 1 warning has been found!\n0");
  EXPECT_EQ(run({directory_ + "/Dockerfile"}), "Check complete, no warnings found.\n0");
  EXPECT_EQ(run({"-f", directory_ + "/Dockerfile", "--build-arg", "BUILDKIT_DOCKERFILE_CHECK=skip=all", directory_}),
            "Check complete, no warnings found.\n0");
}

TEST_F(CheckCommand, TellsThemAsJson) {
  write("Dockerfile", "# check=error=true\nFROM a\nCMD x\n");
  const std::string printed = run({"--format=json", directory_});
  EXPECT_EQ(printed.back(), '1');
  const auto document = nlohmann::json::parse(printed.substr(0, printed.size() - 1));
  ASSERT_EQ(document["warnings"].size(), 1U);
  EXPECT_EQ(document["warnings"][0]["ruleName"], "JSONArgsRecommended");
  EXPECT_EQ(document["warnings"][0]["location"]["ranges"][0]["start"]["line"], 3);
  EXPECT_EQ(document["buildError"]["message"], "lint violation found for rules: JSONArgsRecommended");
}

TEST_F(CheckCommand, FailsWhereABuildWould) {
  write("Dockerfile", "FROM a\nRNU x\n");
  EXPECT_TRUE(run({directory_}).starts_with("ERROR: Dockerfile:2:1-3: unknown instruction: RNU"));
  write("Dockerfile", "# syntax=other/frontend\nFROM a\n");
  EXPECT_NE(run({directory_}).find("other/frontend"), std::string::npos);
  write("Dockerfile", "FROM a\nRUN --network=bridge x\n");
  EXPECT_TRUE(run({directory_}).starts_with("ERROR: Dockerfile:2:15-20: invalid network mode: bridge"));
  write("Dockerfile", "FROM scratch\nSTOPSIGNAL $SIGNAL\n");
  EXPECT_EQ(run({directory_}).back(), '1');
  // What the base may know is not held against a file.
  write("Dockerfile", "FROM a\nSTOPSIGNAL $SIGNAL\nRUN --mount=target=. true\n");
  EXPECT_EQ(run({directory_}).back(), '0');
  write("Dockerfile", "FROM a\n");
  const std::string target = run({"--target=nope", directory_});
  EXPECT_NE(target.find("target stage \"nope\" could not be found"), std::string::npos) << target;
  EXPECT_EQ(target.back(), '1');
}

TEST_F(CheckCommand, RefusesWhatItDoesNotKnow) {
  for (const std::vector<std::string>& bad : {std::vector<std::string>{},
                                              {"--format=xml", "."},
                                              {"--nope", "."},
                                              {"a", "b"},
                                              {"/nonexistent"},
                                              {"-f", "x", "/nonexistent"}}) {
    EXPECT_THROW(check_main(bad), io::Error);
  }
}

}  // namespace
}  // namespace kiln::tools
