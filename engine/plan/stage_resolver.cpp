#include "engine/plan/stage_resolver.hpp"

#include <utility>

#include <fmt/format.h>

#include "io/base/error.hpp"

namespace kiln::engine {

StageResolver::StageResolver(const Plan& plan, const PlannedStage& stage, const std::string& file_name, StageInput input)
    : plan_(plan), stage_(stage), file_name_(file_name), created_(std::move(input.created)) {
  result_.config = std::move(input.base);
  for (auto& [name, value] : input.inherited_args) set_arg(name, value);
}

ResolvedStage StageResolver::resolve() {
  prepare_config();
  const std::vector<std::string> triggers = std::exchange(result_.config.on_build, {});
  for (const auto& text : triggers) {
    const dockerfile::Instruction instruction = dockerfile::parse_trigger(text, plan_.file.escape);
    apply_at(instruction, fmt::format("ONBUILD trigger of the base image ({})", text));
  }
  for (const auto& instruction : stage_.text->instructions) {
    apply_at(instruction, fmt::format("{}:{}", file_name_, instruction.location.first_line));
  }
  for (const auto& name : arg_order_) {
    if (args_[name]) result_.args[name] = *args_[name];
  }
  return std::move(result_);
}

void StageResolver::prepare_config() {
  auto& config = result_.config;
  if (!config.env_value("PATH")) config.set_env("PATH", default_path);
  if (config.working_dir.empty()) config.working_dir = "/";
}

void StageResolver::apply_at(const dockerfile::Instruction& instruction, const std::string& where) {
  current_ = &instruction;
  try {
    std::visit([this](const auto& body) { apply(body); }, instruction.body);
  } catch (io::Error& error) {
    error.add_context(where);
    throw;
  }
}

// -- variables ---------------------------------------------------------------------------------------------------

// The later of ENV and ARG wins, as in BuildKit's code.
std::optional<std::string> StageResolver::lookup(std::string_view name) const {
  const auto arg = args_.find(std::string(name));
  if (arg != args_.end() && arg->second) return arg->second;
  if (const auto env = result_.config.env_value(name)) return std::string(*env);
  return std::nullopt;
}

dockerfile::Lookup StageResolver::lookups() const {
  return [this](std::string_view name) { return lookup(name); };
}

std::string StageResolver::expand(const std::string& word) const {
  return dockerfile::expand_word(word, lookups(), plan_.file.escape);
}

std::vector<std::string> StageResolver::expand_all(const std::vector<std::string>& words) const {
  std::vector<std::string> expanded;
  for (const auto& word : words) expanded.push_back(expand(word));
  return expanded;
}

std::vector<dockerfile::KeyValue> StageResolver::expand_pairs(const std::vector<dockerfile::KeyValue>& pairs) const {
  std::vector<dockerfile::KeyValue> expanded;
  for (const auto& pair : pairs) expanded.push_back({expand(pair.key), expand(pair.value.value_or(""))});
  return expanded;
}

void StageResolver::set_arg(const std::string& name, std::optional<std::string> value) {
  if (!args_.contains(name)) arg_order_.push_back(name);
  args_[name] = std::move(value);
}

// -- history -----------------------------------------------------------------------------------------------------

std::size_t StageResolver::add_history(std::string created_by, bool empty_layer) {
  oci::History entry;
  entry.created = created_;
  entry.created_by = std::move(created_by);
  entry.comment = "buildkit.dockerfile.v0";
  entry.empty_layer = empty_layer;
  result_.config.history.push_back(std::move(entry));
  return result_.config.history.size() - 1;
}

void StageResolver::add_step(decltype(Step::action) action, std::string created_by) {
  Step step;
  step.action = std::move(action);
  step.text = current_->original.substr(0, current_->original.find('\n'));
  step.location = current_->location;
  step.history = add_history(std::move(created_by), false);
  result_.steps.push_back(std::move(step));
}

ResolvedStage resolve_stage(const Plan& plan, const PlannedStage& stage, const std::string& file_name, StageInput input) {
  return StageResolver(plan, stage, file_name, std::move(input)).resolve();
}

oci::ImageConfig scratch_config(const oci::Platform& platform) {
  oci::ImageConfig config;
  config.platform = platform;
  config.working_dir = "/";
  config.set_env("PATH", default_path);
  return config;
}

}  // namespace kiln::engine
