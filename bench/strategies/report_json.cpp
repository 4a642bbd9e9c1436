#include <algorithm>

#include <nlohmann/json.hpp>

#include "bench/strategies/report.hpp"

namespace kiln::bench {

namespace {

using Json = nlohmann::ordered_json;

Json number_or_null(const std::optional<std::uint64_t>& value) { return value ? Json(*value) : Json(nullptr); }

Json json_of(const Cost& cost) {
  return {{"seconds", cost.seconds},
          {"cpu_seconds", cost.cpu_seconds},
          {"system_calls", number_or_null(cost.system_calls)},
          {"bytes_read", number_or_null(cost.bytes_read)},
          {"memory", number_or_null(cost.memory)}};
}

Json json_of(const Measurement& measurement) {
  auto runs = Json::array();
  for (const auto& run : measurement.runs) {
    runs.push_back({{"before", json_of(run.arm)},
                    {"after", json_of(run.detect)},
                    {"expected", run.verdict.expected},
                    {"missed", run.verdict.missed},
                    {"false_reports", run.verdict.false_reports},
                    {"false_candidates", run.verdict.false_candidates}});
  }
  const Verdict worst = measurement.worst();
  return {{"strategy", measurement.strategy->name},
          {"change", name_of(measurement.change)},
          {"cache", name_of(measurement.cache)},
          {"median_seconds", median_seconds(measurement, &Run::detect)},
          {"missed", worst.missed},
          {"false_reports", worst.false_reports},
          {"false_candidates", worst.false_candidates},
          {"runs", std::move(runs)}};
}

Json machine_of(const Results& results) {
  const Machine& machine = results.machine;
  return {{"kernel", machine.kernel},     {"file_system", machine.file_system},
          {"cores", machine.cores},       {"root", machine.root},
          {"cold", results.chill_method}, {"system_calls_not_counted_because", results.system_call_counter}};
}

Json json_of(const Results& results) {
  auto measurements = Json::array();
  for (const auto& measurement : results.measurements) measurements.push_back(json_of(measurement));
  return {{"from", results.tree},
          {"entries", results.entries},
          {"bytes", results.bytes},
          {"statx", {{"one_thread", results.statx_one_thread}, {"all_cores", results.statx_all_cores}}},
          {"measurements", std::move(measurements)}};
}

}  // namespace

std::string to_json(const AllResults& all) {
  auto strategies = Json::array();
  for (const Strategy* strategy : all.front().strategies()) {
    strategies.push_back({{"name", strategy->name}, {"exact", strategy->exact}, {"looks_at", strategy->method}});
  }
  auto skipped = Json::array();
  for (const auto& item : all.front().skipped) skipped.push_back({{"name", item.strategy->name}, {"reason", item.reason}});
  auto trees = Json::array();
  for (const auto& results : all) trees.push_back(json_of(results));
  const Json document = {{"machine", machine_of(all.front())},
                         {"strategies", std::move(strategies)},
                         {"skipped", std::move(skipped)},
                         {"trees", std::move(trees)},
                         {"promises_kept", std::ranges::all_of(all, &Results::promises_kept)}};
  return document.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace kiln::bench
