#include "tools/command/trace.hpp"

#include <map>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace kiln::tools {
namespace {

using std::chrono::milliseconds;

class Silent final : public engine::Progress {};

TEST(Trace, SpansOfOneTrackDoNotOverlap) {
  TraceRecorder trace(std::make_unique<Silent>());
  const auto now = std::chrono::steady_clock::now();
  const auto at = [&](int time) { return now + milliseconds(time); };
  trace.span("pull", "a", at(0), at(10));
  trace.span("pull", "b", at(5), at(15));
  trace.span("pull", "c", at(10), at(12));
  trace.span("push", "", at(1), at(2));
  trace.step_started({7, "app", 1, 2, "RUN \xff true"});
  engine::Progress::StepOutcome outcome;
  outcome.changes = 3;
  outcome.bytes = 1500;
  trace.step_finished(7, outcome);
  const auto document = nlohmann::json::parse(trace.json());
  std::map<int, double> busy_until;
  std::map<std::string, int> spans;
  std::map<int, std::string> tracks;
  for (const auto& event : document["traceEvents"]) {
    const int track = event["tid"];
    if (event["name"] == "thread_name") tracks[track] = event["args"]["name"];
    if (event["ph"] != "X") continue;
    EXPECT_EQ(tracks[track], event["cat"].get<std::string>());
    EXPECT_GE(event["ts"].get<double>() + 1e-3, busy_until[track]);
    busy_until[track] = event["ts"].get<double>() + event["dur"].get<double>();
    ++spans[event["cat"]];
    if (event["cat"] == "step") EXPECT_EQ(event["args"]["note"].get<std::string>(), "app: 3 changes, 1.5 kB");
  }
  EXPECT_EQ(spans, (std::map<std::string, int>{{"pull", 3}, {"push", 1}, {"step", 1}}));
  EXPECT_EQ(tracks.size(), 4U);  // two for pulls
}

}  // namespace
}  // namespace kiln::tools
