#include "tools/command/secrets.hpp"

#include <stdlib.h>

#include <fstream>
#include <string>

#include <gtest/gtest.h>

#include "io/base/error.hpp"

namespace kiln::tools {
namespace {

std::string file_with(const std::string& text) {
  const std::string path = testing::TempDir() + "/secret-file-" + testing::UnitTest::GetInstance()->current_test_info()->name();
  std::ofstream(path) << text;
  return path;
}

// The secret "s" of one --secret, or the error.
std::string secret_of(const std::string& text) {
  engine::BuildRequest request;
  try {
    add_secret(request, text);
  } catch (const io::Error& error) {
    return "error: " + error.message();
  }
  return request.secrets.contains("s") ? request.secrets["s"] : "another id";
}

TEST(Secrets, Sources) {
  const std::string path = file_with("from file\n");
  setenv("S_VARIABLE", "from variable", 1);
  unsetenv("s");
  EXPECT_EQ(secret_of("id=s,src=" + path), "from file\n");
  EXPECT_EQ(secret_of("type=file,id=s,source=" + path), "from file\n");
  EXPECT_EQ(secret_of("id=s,env=S_VARIABLE"), "from variable");
  EXPECT_EQ(secret_of("id=s,type=env,src=S_VARIABLE"), "from variable");
  setenv("s", "by its id", 1);
  EXPECT_EQ(secret_of("id=s"), "by its id");
  unsetenv("s");
}

TEST(Secrets, ErrorsNameTheFlag) {
  EXPECT_EQ(secret_of("src=/x"), "error: --secret=src=/x: id=NAME is missing");
  EXPECT_EQ(secret_of("id=s,src=/no/such/file"), "error: --secret=id=s,src=/no/such/file: '/no/such/file' cannot be read");
  EXPECT_EQ(secret_of("id=s,env=NO_SUCH_VARIABLE"),
            "error: --secret=id=s,env=NO_SUCH_VARIABLE: there is no variable NO_SUCH_VARIABLE");
  EXPECT_EQ(secret_of("id=s,type=vault"), "error: --secret=id=s,type=vault: unsupported secret type 'vault'");
  EXPECT_EQ(secret_of("id"), "error: --secret=id: invalid field 'id' must be a key=value pair");
  EXPECT_EQ(secret_of("id=s,src=/a,env=B"), "error: --secret=id=s,src=/a,env=B: both src and env are given");
}

TEST(Secrets, LargeOnesAreRefused) {
  const std::string path = file_with(std::string((500U << 10U) + 1, 'x'));
  EXPECT_NE(secret_of("id=s,src=" + path).find("512001 bytes; 512000 are allowed"), std::string::npos);
}

TEST(SshAgents, HaveToBeSockets) {
  engine::BuildRequest request;
  EXPECT_THROW(add_ssh_agent(request, "default=" + file_with("key")), io::Error);
  EXPECT_THROW(add_ssh_agent(request, "default=/no/such/socket"), io::Error);
  EXPECT_THROW(add_ssh_agent(request, "=x"), io::Error);
}

}  // namespace
}  // namespace kiln::tools
