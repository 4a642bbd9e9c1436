// A plan as JSON. Keys are in camel case, as in docker build --call=...,format=json; what an instruction does not say is left out.
#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "engine/dockerfile/csv.hpp"
#include "engine/dockerfile/durations.hpp"
#include "engine/plan/print.hpp"

namespace kiln::engine {

namespace {

using Json = nlohmann::ordered_json;
namespace df = dockerfile;

void set(Json& object, const char* key, const std::optional<std::string>& value) {
  if (value) object[key] = *value;
}

void set_if(Json& object, const char* key, bool value) {
  if (value) object[key] = true;
}

Json json_of(const std::vector<df::Heredoc>& heredocs) {
  Json list = Json::array();
  for (const auto& heredoc : heredocs) {
    list.push_back({{"name", heredoc.name}, {"body", heredoc.body}, {"expand", heredoc.expand}});
  }
  return list;
}

Json json_of(const std::vector<df::KeyValue>& pairs) {
  Json list = Json::array();
  for (const auto& pair : pairs) {
    Json object = {{"name", pair.key}};
    set(object, "value", pair.value);
    list.push_back(std::move(object));
  }
  return list;
}

void add_command(Json& object, const df::CommandLine& command) {
  if (command.exec_form) {
    object["exec"] = command.words;
  } else {
    object["shell"] = command.words.front();
  }
  if (!command.heredocs.empty()) object["heredocs"] = json_of(command.heredocs);
}

Json json_of_mount(const std::string& text) {
  Json object = Json::object();
  for (const auto& field : df::parse_csv_fields(text)) {
    if (field.value) {
      object[field.key] = *field.value;
    } else {
      object[field.key] = true;
    }
  }
  return object;
}

// The parsed form of an instruction.
struct BodyWriter {
  Json operator()(const df::From& from) const {
    Json object = {{"image", from.image}};
    set(object, "platform", from.platform);
    if (!from.name.empty()) object["name"] = from.name;
    return object;
  }
  Json operator()(const df::Run& run) const {
    Json object = Json::object();
    add_command(object, run.command);
    for (const auto& mount : run.mounts) object["mounts"].push_back(json_of_mount(mount));
    set(object, "network", run.network);
    set(object, "security", run.security);
    if (!run.devices.empty()) object["devices"] = run.devices;
    return object;
  }
  Json operator()(const df::Copy& copy) const {
    Json object = {{"sources", copy.sources}, {"destination", copy.destination}};
    if (!copy.heredocs.empty()) object["heredocs"] = json_of(copy.heredocs);
    set(object, "from", copy.from);
    set(object, "chown", copy.chown);
    set(object, "chmod", copy.chmod);
    set(object, "checksum", copy.checksum);
    if (!copy.excludes.empty()) object["excludes"] = copy.excludes;
    set_if(object, "link", copy.link);
    set_if(object, "parents", copy.parents);
    set_if(object, "keepGitDir", copy.keep_git_dir);
    if (copy.unpack) object["unpack"] = *copy.unpack;
    return object;
  }
  Json operator()(const df::Env& env) const { return {{"pairs", json_of(env.pairs)}}; }
  Json operator()(const df::Label& label) const { return {{"pairs", json_of(label.pairs)}}; }
  Json operator()(const df::Arg& arg) const { return {{"pairs", json_of(arg.pairs)}}; }
  Json operator()(const df::Workdir& workdir) const { return {{"path", workdir.path}}; }
  Json operator()(const df::User& user) const { return {{"user", user.user}}; }
  Json operator()(const df::Expose& expose) const { return {{"ports", expose.ports}}; }
  Json operator()(const df::Volume& volume) const { return {{"paths", volume.paths}}; }
  Json operator()(const df::Cmd& cmd) const { return of_command(cmd.command); }
  Json operator()(const df::Entrypoint& entrypoint) const { return of_command(entrypoint.command); }
  Json operator()(const df::Shell& shell) const { return {{"words", shell.words}}; }
  Json operator()(const df::StopSignal& stop) const { return {{"signal", stop.signal}}; }
  Json operator()(const df::Maintainer& maintainer) const { return {{"name", maintainer.name}}; }
  Json operator()(const df::OnBuild& trigger) const { return {{"instruction", trigger.instruction}}; }
  Json operator()(const df::HealthcheckInstruction& check) const {
    if (check.none) return {{"none", true}};
    Json object = of_command(check.command);
    const auto set_duration = [&object](const char* key, std::chrono::nanoseconds value) {
      if (value.count() != 0) object[key] = df::format_duration(value);
    };
    set_duration("interval", check.interval);
    set_duration("timeout", check.timeout);
    set_duration("startPeriod", check.start_period);
    set_duration("startInterval", check.start_interval);
    if (check.retries != 0) object["retries"] = check.retries;
    return object;
  }

  static Json of_command(const df::CommandLine& command) {
    Json object = Json::object();
    add_command(object, command);
    return object;
  }
};

Json json_of(const df::Instruction& instruction) {
  return {{"line", instruction.location.first_line},
          {"lastLine", instruction.location.last_line},
          {"keyword", instruction.keyword},
          {"text", instruction.original},
          {"parsed", std::visit(BodyWriter(), instruction.body)}};
}

Json json_of(const std::vector<df::Instruction>& instructions) {
  Json list = Json::array();
  for (const auto& instruction : instructions) list.push_back(json_of(instruction));
  return list;
}

Json json_of(const Plan& plan, const Source& source) {
  switch (source.kind) {
    case Source::Kind::scratch: return {{"kind", "scratch"}};
    case Source::Kind::stage: return {{"kind", "stage"}, {"name", plan.stages[static_cast<std::size_t>(source.stage)].name}};
    case Source::Kind::image: return {{"kind", "image"}, {"reference", source.image.text()}, {"platform", source.platform.text()}};
    case Source::Kind::context:
      return {{"kind", "context"}, {"name", source.context}, {"value", plan.options.named_contexts.at(source.context)}};
  }
  return {};
}

Json json_of(const Plan& plan, const PlannedStage& stage) {
  Json sources = Json::array();
  for (const int source : stage.copies_from) sources.push_back(plan.stages[static_cast<std::size_t>(source)].name);
  return {{"name", stage.name},
          {"built", stage.needed},
          {"replaced", stage.replaced},
          {"base", json_of(plan, stage.base)},
          {"copiesFrom", std::move(sources)},
          {"from", json_of(stage.text->from)},
          {"instructions", json_of(stage.text->instructions)}};
}

Json json_of(const Fetch& fetch) {
  Json object = {{"kind", name_of(fetch.kind)}, {"place", fetch.place}};
  if (!fetch.platform.empty()) object["platform"] = fetch.platform;
  object["lines"] = fetch.lines;
  return object;
}

}  // namespace

std::string print_plan_json(const Plan& plan, const Fetches& fetches, const std::string& file_name) {
  Json document = {{"fileName", file_name},
                   {"platform", plan.options.platform.text()},
                   {"target", plan.stages[static_cast<std::size_t>(plan.target)].name},
                   {"globalArgs", json_of(plan.file.global_args)}};
  document["stages"] = Json::array();
  for (const auto& stage : plan.stages) document["stages"].push_back(json_of(plan, stage));
  document["fetches"] = Json::array();
  for (const auto& fetch : fetches.known) document["fetches"].push_back(json_of(fetch));
  document["notes"] = fetches.notes;
  return document.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace kiln::engine
