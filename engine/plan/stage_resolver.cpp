#include "engine/plan/stage_resolver.hpp"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "engine/dockerfile/diagnostics.hpp"
#include "engine/dockerfile/words.hpp"
#include "engine/plan/path.hpp"
#include "io/base/error.hpp"

namespace kiln::engine {

StageResolver::StageResolver(const Plan& plan, const PlannedStage& stage, const std::string& file_name, StageInput input)
    : plan_(plan), stage_(stage), file_name_(file_name), created_(std::move(input.created)), base_known_(input.base_known) {
  result_.config = std::move(input.base);
  args_ = std::move(input.inherited_args);
  // The image's Env is set again at the start of a stage, over arguments that hid it in the one before.
  for (const auto& arg : args_) {
    if (arg.value && !result_.config.env_value(arg.key)) set_arg(arg.key, arg.value);
  }
}

ResolvedStage StageResolver::resolve() {
  prepare_config();
  if (stage_.replaced) {
    result_.args = std::move(args_);
    return std::move(result_);
  }
  const std::vector<std::string> triggers = std::exchange(result_.config.on_build, {});
  for (const auto& text : triggers) {
    const auto what = fmt::format("ONBUILD trigger of the base ({})", text.substr(0, text.find('\n')));
    const auto pull = [&] {
      // A trigger is a file of its own, without the directives of this one.
      dockerfile::Instruction instruction = dockerfile::parse_trigger(text, '\\');
      instruction.location = stage_.text->from.location;
      apply_any(instruction);
    };
    unless_unknown(text, [&] { at(stage_.text->from.location, what, pull); });
  }
  for (const auto& instruction : stage_.text->instructions) {
    unless_unknown(instruction.original, [&] { at(instruction.location, "", [&] { apply_any(instruction); }); });
  }
  result_.args = std::move(args_);
  return std::move(result_);
}

template <class Body>
void StageResolver::unless_unknown(const std::string& text, Body body) {
  try {
    body();
  } catch (const io::Error& error) {
    if (base_known_ || text.find('$') == std::string::npos) throw;
    result_.left_out.push_back(error.message());
  }
}

void StageResolver::prepare_config() {
  auto& config = result_.config;
  if (!base_known_ && stage_.base.is_outside()) config.working_dir = "/directory-of-the-base";
  if (!config.env_value("PATH")) config.set_env("PATH", default_path);
  if (!config.working_dir.empty() && !config.working_dir.starts_with('/')) {
    config.working_dir = absolute_path("/", config.working_dir, false);
  }
  if (stage_.base.is_outside() && !config.diff_ids.empty()) complete_history();
}

// Layers and entries that stand for one are brought to the same number, as BuildKit's exporter does.
void StageResolver::complete_history() {
  auto& config = result_.config;
  std::size_t layers = 0;
  for (auto& entry : config.history) {
    if (layers == config.diff_ids.size()) entry.empty_layer = true;
    if (!entry.empty_layer) ++layers;
  }
  for (; layers < config.diff_ids.size(); ++layers) {
    oci::History filler;
    if (oci::parse_rfc3339(config.created)) filler.created = config.created;
    const Source& base = stage_.base;
    filler.created_by = base.kind == Source::Kind::image ? "pulled from " + base.image.text() : "context " + base.context;
    filler.comment = "buildkit.exporter.image.v0";
    config.history.push_back(std::move(filler));
  }
}

// Runs `body`, whose errors are told with the place and, if there is one, `what` in front.
template <class Body>
void StageResolver::at(const dockerfile::Location& location, const std::string& what, Body body) {
  try {
    body();
  } catch (const dockerfile::WordError& error) {
    const std::string reason = what.empty() ? error.message() : fmt::format("{}: {}", what, error.message());
    throw dockerfile::word_error(file_name_, plan_.file.source, reason, what.empty() ? error.word() : "", location);
  } catch (io::Error& error) {
    if (!what.empty()) error.add_context(what);
    throw dockerfile::error_at(file_name_, plan_.file.source, error, location);
  }
}

void StageResolver::apply_any(const dockerfile::Instruction& instruction) {
  current_ = &instruction;
  std::visit([this](const auto& body) { apply(body); }, instruction.body);
}

// -- variables ---------------------------------------------------------------------------------------------------

// The later of ENV and ARG wins, as in BuildKit's code.
std::optional<std::string> StageResolver::lookup(std::string_view name) const {
  if (visible_args_.contains(std::string(name))) {
    for (const auto& arg : args_) {
      if (arg.key == name) return arg.value;
    }
  }
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

std::string StageResolver::directory() const { return result_.config.working_dir.empty() ? "/" : result_.config.working_dir; }

void StageResolver::set_arg(const std::string& name, const std::optional<std::string>& value) {
  auto arg = std::find_if(args_.begin(), args_.end(), [&](const auto& known) { return known.key == name; });
  if (arg == args_.end()) arg = args_.insert(arg, {name, value});
  if (!value) return;
  arg->value = value;
  // These two steer BuildKit's scanner and are no environment.
  if (name != "BUILDKIT_SBOM_SCAN_CONTEXT" && name != "BUILDKIT_SBOM_SCAN_STAGE") visible_args_.insert(name);
}

bool StageResolver::declared(const std::string& name) const {
  return std::any_of(args_.begin(), args_.end(), [&](const auto& arg) { return arg.key == name; });
}

std::vector<std::string> StageResolver::args_for_history() const {
  std::vector<std::string> texts;
  for (const auto& arg : args_) {
    const auto value = lookup(arg.key);
    texts.push_back(arg.key + "=" + (value ? *value : arg.value.value_or("")));
  }
  return texts;
}

std::vector<std::string> StageResolver::run_environment() const {
  oci::ImageConfig environment;
  environment.env = result_.config.env;
  for (const auto& arg : args_) {
    if (visible_args_.contains(arg.key)) environment.set_env(arg.key, *arg.value);
  }
  return environment.env;
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
