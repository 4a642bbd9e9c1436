#include <gtest/gtest.h>

#include "engine/dockerfile/durations.hpp"
#include "engine/dockerfile/history_text.hpp"
#include "engine/dockerfile/ports.hpp"
#include "engine/dockerfile/signals.hpp"
#include "io/base/error.hpp"

namespace kiln::engine::dockerfile {
namespace {

TEST(Values, PortsSignalsDurations) {
  EXPECT_EQ(parse_ports({"80", "90-91/UDP", "127.0.0.1:8:9"}), (std::set<std::string>{"80/tcp", "90/udp", "91/udp", "9/tcp"}));
  for (const char* bad : {"x", "70000", "1-", "2-1", "1/icmp"}) EXPECT_THROW(parse_ports({bad}), io::Error) << bad;
  for (const char* good : {"9", "SIGKILL", "term", "SIGRTMIN+3"}) EXPECT_NO_THROW(check_signal(good)) << good;
  for (const char* bad : {"0", "65", "SIGFOO", ""}) EXPECT_THROW(check_signal(bad), io::Error) << bad;
  EXPECT_EQ(parse_duration("1h2m3.5s"), std::chrono::milliseconds(3'723'500));
  EXPECT_EQ(format_duration(parse_duration("1m30s")), "1m30s");
  EXPECT_EQ(format_duration(parse_duration("1500us")), "1.5ms");
  EXPECT_EQ(format_duration(parse_duration("0")), "0s");
  for (const char* bad : {"", "1", "s", "1x"}) EXPECT_THROW(parse_duration(bad), io::Error) << bad;
}

TEST(History, BuildKitsWords) {
  EXPECT_EQ(history_of_run({"a=1", "b=2"}, {"/bin/sh", "-c", "x y"}), "RUN |2 a=1 b=2 /bin/sh -c x y # buildkit");
  EXPECT_EQ(history_of_command("CMD", {"a", "b \"c\""}), "CMD [\"a\" \"b \\\"c\\\"\"]");
  EXPECT_EQ(history_of_pairs("ARG", {{"A", std::nullopt}, {"B", "1"}}), "ARG A B=1");
  CopyHistory copy;
  copy.chown = "a:b";
  copy.sources = {"x", "<<EOF"};
  copy.destination = "/d/";
  EXPECT_EQ(history_of_copy(copy), "COPY --chown=a:b x <<EOF /d/ # buildkit");
}

}  // namespace
}  // namespace kiln::engine::dockerfile
