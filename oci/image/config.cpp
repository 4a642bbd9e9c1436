#include "oci/image/config.hpp"

#include <algorithm>
#include <array>
#include <cstdio>
#include <ctime>

#include <fmt/format.h>

#include "io/base/error.hpp"
#include "oci/image/json_fields.hpp"

namespace kiln::oci {

namespace {

constexpr std::array known_top = {"created",    "author", "architecture", "os",     "variant",
                                  "os.version", "config", "rootfs",       "history"};
constexpr std::array known_config = {"User",       "ExposedPorts", "Env",        "Entrypoint",  "Cmd",     "ArgsEscaped", "Volumes",
                                     "WorkingDir", "Labels",       "StopSignal", "Healthcheck", "OnBuild", "Shell"};

template <class Names>
Json unknown_members(const Json& object, const Names& known) {
  Json rest = Json::object();
  for (const auto& [key, value] : object.items()) {
    if (std::find(known.begin(), known.end(), key) == known.end()) rest[key] = value;
  }
  return rest;
}

std::set<std::string> keys_of(const Json& object, const char* name) {
  std::set<std::string> keys;
  const Json* value = member(object, name);
  if (!value) return keys;
  if (!value->is_object()) throw io::Error(io::ErrorKind::protocol, fmt::format("field '{}' is not an object", name));
  for (const auto& item : value->items()) keys.insert(item.key());
  return keys;
}

std::optional<std::vector<std::string>> optional_list(const Json& object, const char* name) {
  if (!member(object, name)) return std::nullopt;
  return text_list_field(object, name);
}

Healthcheck parse_healthcheck(const Json& json) {
  Healthcheck check;
  check.test = text_list_field(json, "Test");
  check.interval = std::chrono::nanoseconds(integer_field(json, "Interval"));
  check.timeout = std::chrono::nanoseconds(integer_field(json, "Timeout"));
  check.start_period = std::chrono::nanoseconds(integer_field(json, "StartPeriod"));
  check.start_interval = std::chrono::nanoseconds(integer_field(json, "StartInterval"));
  check.retries = static_cast<int>(integer_field(json, "Retries"));
  return check;
}

void parse_inner(const Json& json, ImageConfig& config) {
  config.user = text_field(json, "User");
  config.exposed_ports = keys_of(json, "ExposedPorts");
  config.env = text_list_field(json, "Env");
  config.entrypoint = optional_list(json, "Entrypoint");
  config.cmd = optional_list(json, "Cmd");
  const Json* escaped = member(json, "ArgsEscaped");
  config.args_escaped = escaped && escaped->is_boolean() && escaped->get<bool>();
  config.volumes = keys_of(json, "Volumes");
  config.working_dir = text_field(json, "WorkingDir");
  config.labels = text_map_field(json, "Labels");
  config.stop_signal = text_field(json, "StopSignal");
  if (const Json* check = member(json, "Healthcheck")) config.healthcheck = parse_healthcheck(*check);
  config.on_build = text_list_field(json, "OnBuild");
  config.shell = text_list_field(json, "Shell");
  config.other_config = unknown_members(json, known_config);
}

History parse_history(const Json& json) {
  History entry;
  entry.created = text_field(json, "created");
  entry.author = text_field(json, "author");
  entry.created_by = text_field(json, "created_by");
  entry.comment = text_field(json, "comment");
  const Json* empty = member(json, "empty_layer");
  entry.empty_layer = empty && empty->is_boolean() && empty->get<bool>();
  return entry;
}

Json keys_to_json(const std::set<std::string>& keys) {
  Json object = Json::object();
  for (const auto& key : keys) object[key] = Json::object();
  return object;
}

Json to_json(const Healthcheck& check) {
  Json json;
  if (!check.test.empty()) json["Test"] = check.test;
  if (check.interval.count() != 0) json["Interval"] = check.interval.count();
  if (check.timeout.count() != 0) json["Timeout"] = check.timeout.count();
  if (check.start_period.count() != 0) json["StartPeriod"] = check.start_period.count();
  if (check.start_interval.count() != 0) json["StartInterval"] = check.start_interval.count();
  if (check.retries != 0) json["Retries"] = check.retries;
  return json;
}

// Go's struct order, empty fields left out.
Json inner_to_json(const ImageConfig& config) {
  Json json = Json::object();
  if (!config.user.empty()) json["User"] = config.user;
  if (!config.exposed_ports.empty()) json["ExposedPorts"] = keys_to_json(config.exposed_ports);
  if (!config.env.empty()) json["Env"] = config.env;
  if (config.entrypoint && !config.entrypoint->empty()) json["Entrypoint"] = *config.entrypoint;
  if (config.cmd && !config.cmd->empty()) json["Cmd"] = *config.cmd;
  if (!config.volumes.empty()) json["Volumes"] = keys_to_json(config.volumes);
  if (!config.working_dir.empty()) json["WorkingDir"] = config.working_dir;
  if (!config.labels.empty()) json["Labels"] = config.labels;
  if (!config.stop_signal.empty()) json["StopSignal"] = config.stop_signal;
  if (config.args_escaped) json["ArgsEscaped"] = true;
  if (config.healthcheck) json["Healthcheck"] = to_json(*config.healthcheck);
  if (!config.on_build.empty()) json["OnBuild"] = config.on_build;
  if (!config.shell.empty()) json["Shell"] = config.shell;
  for (const auto& [key, value] : config.other_config.items()) json[key] = value;
  return json;
}

// "NAME=value", or a malformed "NAME", which counts as an empty value.
bool is_entry_of(std::string_view entry, std::string_view name) {
  return entry.starts_with(name) && (entry.size() == name.size() || entry[name.size()] == '=');
}

Json to_json(const History& entry) {
  Json json = Json::object();
  if (!entry.created.empty()) json["created"] = entry.created;
  if (!entry.created_by.empty()) json["created_by"] = entry.created_by;
  if (!entry.author.empty()) json["author"] = entry.author;
  if (!entry.comment.empty()) json["comment"] = entry.comment;
  if (entry.empty_layer) json["empty_layer"] = true;
  return json;
}

}  // namespace

std::string format_rfc3339(Timestamp time) {
  const auto seconds = std::chrono::floor<std::chrono::seconds>(time);
  const long nanoseconds = static_cast<long>((time - seconds).count());
  const std::time_t clock = seconds.time_since_epoch().count();
  std::tm parts{};
  gmtime_r(&clock, &parts);
  std::string text = fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}", parts.tm_year + 1900, parts.tm_mon + 1, parts.tm_mday,
                                 parts.tm_hour, parts.tm_min, parts.tm_sec);
  if (nanoseconds != 0) {
    std::string fraction = fmt::format(".{:09}", nanoseconds);
    fraction.erase(fraction.find_last_not_of('0') + 1);
    text += fraction;
  }
  return text + "Z";
}

std::optional<Timestamp> parse_rfc3339(std::string_view text) {
  std::tm parts{};
  const std::string whole(text);
  const char* rest = strptime(whole.c_str(), "%Y-%m-%dT%H:%M:%S", &parts);
  if (!rest) return std::nullopt;
  std::int64_t nanoseconds = 0;
  if (*rest == '.') {
    std::int64_t unit = 100'000'000;
    for (++rest; *rest >= '0' && *rest <= '9'; ++rest, unit /= 10) nanoseconds += (*rest - '0') * unit;
  }
  long offset = 0;
  if (*rest == 'Z' || *rest == 'z') {
    ++rest;
  } else {
    int hours = 0, minutes = 0;
    if ((*rest != '+' && *rest != '-') || std::sscanf(rest + 1, "%2d:%2d", &hours, &minutes) != 2) return std::nullopt;
    offset = (hours * 60L + minutes) * 60 * (*rest == '-' ? -1 : 1);
    rest += 6;
  }
  if (*rest != '\0') return std::nullopt;
  return Timestamp(std::chrono::seconds(timegm(&parts) - offset) + std::chrono::nanoseconds(nanoseconds));
}

std::optional<std::string_view> ImageConfig::env_value(std::string_view name) const {
  for (const auto& entry : env) {
    if (!is_entry_of(entry, name)) continue;
    return std::string_view(entry).substr(std::min(name.size() + 1, entry.size()));
  }
  return std::nullopt;
}

void ImageConfig::set_env(std::string_view name, std::string_view value) {
  std::string text = fmt::format("{}={}", name, value);
  for (auto& entry : env) {
    if (is_entry_of(entry, name)) {
      entry = std::move(text);
      return;
    }
  }
  env.push_back(std::move(text));
}

ImageConfig parse_config(std::string_view text) {
  const Json document = parse_json_object(text, "the image config");
  return io::with_context("the image config", [&] {
    ImageConfig config;
    config.created = text_field(document, "created");
    config.author = text_field(document, "author");
    config.platform.os = text_field(document, "os");
    config.platform.architecture = text_field(document, "architecture");
    config.platform.variant = text_field(document, "variant");
    config.platform.os_version = text_field(document, "os.version");
    if (const Json* inner = member(document, "config")) parse_inner(*inner, config);
    if (const Json* rootfs = member(document, "rootfs")) {
      for (const auto& id : text_list_field(*rootfs, "diff_ids")) config.diff_ids.push_back(Digest::parse(id));
    }
    if (const Json* history = member(document, "history"); history && history->is_array()) {
      for (const auto& entry : *history) config.history.push_back(parse_history(entry));
    }
    config.other_top = unknown_members(document, known_top);
    return config;
  });
}

std::string serialize(const ImageConfig& config) {
  Json document;
  if (!config.created.empty()) document["created"] = config.created;
  if (!config.author.empty()) document["author"] = config.author;
  document["architecture"] = config.platform.architecture;
  document["os"] = config.platform.os;
  if (!config.platform.os_version.empty()) document["os.version"] = config.platform.os_version;
  if (!config.platform.variant.empty()) document["variant"] = config.platform.variant;
  document["config"] = inner_to_json(config);
  Json rootfs;
  rootfs["type"] = "layers";
  rootfs["diff_ids"] = Json::array();
  for (const auto& id : config.diff_ids) rootfs["diff_ids"].push_back(id.text());
  document["rootfs"] = std::move(rootfs);
  if (!config.history.empty()) {
    document["history"] = Json::array();
    for (const auto& entry : config.history) document["history"].push_back(to_json(entry));
  }
  for (const auto& [key, value] : config.other_top.items()) document[key] = value;
  // BuildKit's exporter passes the document through a Go map, which sorts its names; what is inside keeps its order.
  std::map<std::string, Json> sorted;
  for (auto& [key, value] : document.items()) sorted[key] = std::move(value);
  document = Json::object();
  for (auto& [key, value] : sorted) document[key] = std::move(value);
  return dump_like_go(document);
}

}  // namespace kiln::oci
