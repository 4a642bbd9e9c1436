#include "bench/strategies/results.hpp"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "bench/strategies/report.hpp"

namespace kiln::bench {
namespace {

Run run_of(double seconds, std::size_t missed) {
  Run run;
  run.detect.seconds = seconds;
  run.detect.memory = 1000;
  run.verdict = {2, missed, 0, 0};
  return run;
}

Results sample() {
  Results results;
  results.machine.kernel = "6.1 <odd>";
  results.tree = "made";
  results.entries = 100;
  results.runs = 3;
  results.statx_one_thread = {0.001};
  const Strategy& exact = find_strategy("inode-ctime");
  const Strategy& cheap = find_strategy("time");
  results.measurements.push_back({&exact, ChangeKind::none, CacheState::warm, {run_of(0.3, 0), run_of(0.1, 0), run_of(0.2, 0)}});
  results.measurements.push_back({&cheap, ChangeKind::none, CacheState::warm, {run_of(0.05, 0)}});
  results.measurements.push_back({&cheap, ChangeKind::forged_mtime, CacheState::warm, {run_of(0.05, 0), run_of(0.05, 1)}});
  results.skipped.push_back({&find_strategy("overlay"), "refused"});
  return results;
}

TEST(Results, MediansAndTheWorstRun) {
  const Results results = sample();
  const Measurement* measurement = results.find(find_strategy("inode-ctime"), ChangeKind::none, CacheState::warm);
  ASSERT_NE(measurement, nullptr);
  EXPECT_DOUBLE_EQ(median_seconds(*measurement, &Run::detect), 0.2);
  EXPECT_EQ(median_of(*measurement, &Run::detect, &Cost::memory), 1000);
  EXPECT_EQ(median_of(*measurement, &Run::detect, &Cost::system_calls), std::nullopt);
  EXPECT_EQ(results.measurements.back().worst().missed, 1U);
  EXPECT_EQ(results.find(find_strategy("full"), ChangeKind::none, CacheState::warm), nullptr);
}

TEST(Results, OnlyExactStrategiesPromise) {
  Results results = sample();
  EXPECT_TRUE(results.promises_kept());
  results.measurements.front().runs.back().verdict.missed = 1;
  EXPECT_FALSE(results.promises_kept());
}

TEST(Report, JsonHasEveryRun) {
  const auto document = nlohmann::json::parse(to_json({sample(), sample()}));
  ASSERT_EQ(document.at("trees").size(), 2U);
  const auto& measurements = document.at("trees").at(1).at("measurements");
  EXPECT_EQ(measurements.size(), 3U);
  EXPECT_EQ(measurements.at(0).at("runs").size(), 3U);
  EXPECT_TRUE(measurements.at(0).at("runs").at(0).at("after").at("system_calls").is_null());
  EXPECT_EQ(measurements.at(2).at("missed"), 1);
  EXPECT_EQ(document.at("skipped").at(0).at("name"), "overlay");
  EXPECT_TRUE(document.at("promises_kept").get<bool>());
}

TEST(Report, TextAndPage) {
  const std::string text = to_text({sample()});
  EXPECT_NE(text.find("200.0"), std::string::npos) << text;
  EXPECT_NE(text.find("1 of 2 missed"), std::string::npos) << text;
  const std::string page = to_html({sample()});
  EXPECT_NE(page.find("6.1 &lt;odd&gt;"), std::string::npos);
  EXPECT_NE(page.find("<svg"), std::string::npos);
  EXPECT_EQ(page.find("://"), std::string::npos);
}

TEST(Report, FoundOrNot) {
  Results results = sample();
  results.measurements[2].runs.back().verdict = {2, 2, 1, 0};
  results.measurements[1].runs.back().verdict = {0, 0, 0, 5};
  const std::string text = to_text({results});
  EXPECT_NE(text.find("missed, 1 false"), std::string::npos) << text;
  EXPECT_NE(text.find("nothing"), std::string::npos) << text;
  EXPECT_NE(text.find("time            no     5             0"), std::string::npos) << text;
}

TEST(Report, SeveralSizesAreOneChart) {
  EXPECT_EQ(to_html({sample()}).find("by size of the tree"), std::string::npos);
  EXPECT_NE(to_html({sample(), sample()}).find("by size of the tree"), std::string::npos);
}

}  // namespace
}  // namespace kiln::bench
