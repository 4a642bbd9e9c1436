#include "engine/cache/patience.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "io/base/error.hpp"
#include "io/loop/notify.hpp"
#include "tests/support/run_task.hpp"

namespace kiln::engine {
namespace {

using io::Task;
using std::chrono::milliseconds;

class PatienceTest : public ::testing::Test {
 protected:
  io::Runtime runtime_{io::RuntimeOptions{}};
  io::http::Client http_{runtime_, {}};
  oci::Registry registry_{runtime_,      http_, std::make_shared<oci::CredentialStore>(runtime_, std::vector<oci::DockerConfig>()),
                          "example.com", {},    {}};
  Patience patience_{registry_};
};

Task<void> note(bool& done) {
  done = true;
  co_return;
}

Task<void> say_nothing(bool& stopped) {
  try {
    co_await io::sleep_for(std::chrono::minutes(1));
  } catch (...) {
    stopped = true;
    throw;
  }
}

Task<void> send_slowly(oci::OnBytes on_bytes, bool& done) {
  for (int i = 0; i < 12; ++i) {
    co_await io::sleep_for(milliseconds(100));
    on_bytes(1);
  }
  done = true;
}

Task<void> fail() {
  throw io::Error(io::ErrorKind::denied, "no");
  co_return;
}

TEST_F(PatienceTest, WaitsForWhatEnds) {
  bool done = false;
  testing::run(runtime_, patience_.wait(note(done), std::chrono::minutes(1)));
  EXPECT_TRUE(done);
}

TEST_F(PatienceTest, SilenceIsAnError) {
  bool stopped = false;
  try {
    testing::run(runtime_, patience_.wait(say_nothing(stopped), milliseconds(1000)));
    FAIL();
  } catch (const io::Error& error) {
    EXPECT_EQ(error.kind(), io::ErrorKind::network);
    EXPECT_EQ(error.message(), "registry example.com has not answered for 1 s");
  }
  EXPECT_TRUE(stopped);
  EXPECT_FALSE(patience_.alive());
}

TEST_F(PatienceTest, BytesThatPassAreASignOfLife) {
  bool done = false;
  testing::run(runtime_, patience_.wait(send_slowly(patience_.on_bytes(), done), milliseconds(1000)));
  EXPECT_TRUE(done);
  EXPECT_TRUE(patience_.alive());
}

TEST_F(PatienceTest, ErrorsPass) {
  try {
    testing::run(runtime_, patience_.wait(fail(), std::chrono::minutes(1)));
    FAIL();
  } catch (const io::Error& error) {
    EXPECT_EQ(error.kind(), io::ErrorKind::denied);
  }
}

}  // namespace
}  // namespace kiln::engine
