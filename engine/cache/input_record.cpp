#include "engine/cache/input_record.hpp"

#include <algorithm>
#include <set>

#include <nlohmann/json.hpp>

#include "engine/cache/artifact.hpp"
#include "engine/cache/key.hpp"
#include "io/base/error.hpp"
#include "io/codec/block_compressor.hpp"
#include "io/codec/memory.hpp"

namespace kiln::engine {

namespace {

using Json = nlohmann::ordered_json;

constexpr int version = 1;
constexpr std::size_t most_steps = 64;
constexpr std::size_t largest_text = 64U << 20U;  // bytes of JSON that is taken from a store
constexpr std::size_t deepest_grouping = 8;       // components of a directory that stands for its files

Json to_json(const StepInputs& inputs) {
  Json json = {{"key", inputs.key}, {"step", inputs.step}};
  Json parts = Json::array();
  for (const auto& [part, value] : inputs.parts) parts.push_back({part.kind, part.name, value});
  json["parts"] = std::move(parts);
  if (!inputs.files.empty()) json["files"] = inputs.files;
  if (inputs.grouped) json["grouped"] = *inputs.grouped;
  return json;
}

StepInputs from_json(const Json& json) {
  StepInputs inputs;
  inputs.key = json.at("key").get<std::string>();
  inputs.step = json.at("step").get<std::string>();
  for (const auto& part : json.at("parts")) {
    inputs.parts[{part.at(0).get<std::string>(), part.at(1).get<std::string>()}] = part.at(2).get<std::string>();
  }
  if (json.contains("files")) inputs.files = json.at("files").get<std::map<std::string, std::string>>();
  if (json.contains("grouped")) inputs.grouped = json.at("grouped").get<std::size_t>();
  return inputs;
}

std::string packed(const std::vector<StepInputs>& steps) {
  Json document = {{"version", version}, {"steps", Json::array()}};
  for (const auto& step : steps) document["steps"].push_back(to_json(step));
  const std::string text = document.dump(-1, ' ', false, Json::error_handler_t::replace);
  const io::CompressedBlock block = io::compress_block({io::Compression::zstd, 6}, io::as_bytes(text));
  return std::string(io::as_text(block.bytes));
}

// Says less of the step that says most. False when there is nothing left to leave out.
bool say_less(std::vector<StepInputs>& steps) {
  const auto largest = std::ranges::max_element(steps, {}, [](const StepInputs& step) { return step.files.size(); });
  if (largest == steps.end() || largest->files.size() <= 1) return false;
  const std::size_t components = largest->grouped ? std::max<std::size_t>(*largest->grouped, 1) - 1 : deepest_grouping;
  group_files(*largest, components);
  return true;
}

}  // namespace

std::string record_name(const std::string& repository, const std::string& dockerfile, const std::string& stage,
                        const std::string& platform) {
  KeyBuilder key("inputs");
  key.field("repository", repository).field("Dockerfile", dockerfile).field("stage", stage).field("platform", platform);
  return std::string(inputs_prefix) + key.finish().substr(0, 32);
}

std::vector<StepInputs> merge_records(std::vector<StepInputs> fresh, std::vector<StepInputs> known) {
  std::set<std::string> keys;
  for (const auto& step : fresh) keys.insert(step.key);
  for (auto& step : known) {
    if (fresh.size() >= most_steps) break;
    if (keys.insert(step.key).second) fresh.push_back(std::move(step));
  }
  return fresh;
}

std::string pack_record(std::vector<StepInputs> steps, std::size_t fresh, std::size_t limit) {
  while (true) {
    std::string bytes = packed(steps);
    if (bytes.size() <= limit) return bytes;
    if (steps.size() > fresh) {
      steps.resize(std::max(fresh, steps.size() - 1 - (steps.size() - fresh) / 4));
    } else if (!say_less(steps)) {
      if (steps.empty()) return bytes;
      steps.resize(steps.size() / 2);
      fresh = steps.size();
    }
  }
}

std::vector<StepInputs> unpack_record(std::string_view bytes) {
  const std::string text = io::decompress_text(io::as_bytes(bytes), largest_text);
  try {
    const Json document = Json::parse(text);
    std::vector<StepInputs> steps;
    if (document.at("version").get<int>() != version) return steps;
    for (const auto& step : document.at("steps")) steps.push_back(from_json(step));
    return steps;
  } catch (const Json::exception& error) {
    throw io::Error(io::ErrorKind::integrity, error.what());
  }
}

}  // namespace kiln::engine
