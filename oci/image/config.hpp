// The image config (OCI image-spec config.md, with Docker's extensions that BuildKit keeps: Healthcheck, OnBuild, Shell,
// ArgsEscaped). Fields that kiln does not know are carried along unchanged.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "oci/image/digest.hpp"
#include "oci/image/manifest.hpp"
#include "oci/image/platform.hpp"

namespace kiln::oci {

// Nanoseconds since the epoch, UTC.
using Timestamp = std::chrono::sys_time<std::chrono::nanoseconds>;
std::string format_rfc3339(Timestamp time);  // 2026-11-24T08:00:00.123456789Z, as Go prints
std::optional<Timestamp> parse_rfc3339(std::string_view text);

struct History {
  std::string created;  // RFC 3339 text; base entries are kept byte for byte
  std::string author;
  std::string created_by;
  std::string comment;
  bool empty_layer = false;
};

struct Healthcheck {
  std::vector<std::string> test;  // {"NONE"}, {"CMD", ...}, {"CMD-SHELL", text}
  std::chrono::nanoseconds interval{0};
  std::chrono::nanoseconds timeout{0};
  std::chrono::nanoseconds start_period{0};
  std::chrono::nanoseconds start_interval{0};
  int retries = 0;
};

struct ImageConfig {
  std::string created;
  std::string author;
  Platform platform;

  std::string user;
  std::set<std::string> exposed_ports;
  std::vector<std::string> env;  // NAME=value in order
  std::optional<std::vector<std::string>> entrypoint;
  std::optional<std::vector<std::string>> cmd;
  bool args_escaped = false;
  std::set<std::string> volumes;
  std::string working_dir;
  std::map<std::string, std::string> labels;
  std::string stop_signal;
  std::optional<Healthcheck> healthcheck;
  std::vector<std::string> on_build;
  std::vector<std::string> shell;

  std::vector<Digest> diff_ids;
  std::vector<History> history;

  Json other_top = Json::object();     // unknown members of the document
  Json other_config = Json::object();  // unknown members of its "config"

  // Value of an ENV entry, or nothing.
  std::optional<std::string_view> env_value(std::string_view name) const;
  // Replaces in place or appends.
  void set_env(std::string_view name, std::string_view value);
};

// Errors: io::Error(protocol). Malformed Env entries are kept.
ImageConfig parse_config(std::string_view json);
// The exact bytes to push, deterministic: the fields, their order and their escapes are BuildKit's.
std::string serialize(const ImageConfig& config);

}  // namespace kiln::oci
