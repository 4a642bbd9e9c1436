#include "tools/command/secrets.hpp"

#include <sys/stat.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <optional>

#include <fmt/format.h>

#include "engine/dockerfile/text.hpp"
#include "io/base/error.hpp"
#include "tools/command/flags.hpp"

namespace kiln::tools {

namespace {

constexpr std::size_t largest_secret = 500U << 10U;  // bytes, BuildKit's limit

struct SecretText {
  std::string id;
  std::string type;
  std::optional<std::string> file;
  std::optional<std::string> variable;
};

SecretText parse_secret(const std::string& text) {
  SecretText secret;
  for (const auto& field : split_csv("--secret", text)) {
    const auto equals = field.find('=');
    if (equals == std::string::npos)
      usage_error(fmt::format("--secret={}: invalid field '{}' must be a key=value pair", text, field));
    const std::string key = engine::dockerfile::lower(field.substr(0, equals));
    const std::string value = field.substr(equals + 1);
    if (key == "id") {
      secret.id = value;
    } else if (key == "type") {
      if (value != "file" && value != "env") usage_error(fmt::format("--secret={}: unsupported secret type '{}'", text, value));
      secret.type = value;
    } else if (key == "src" || key == "source") {
      secret.file = value;
    } else if (key == "env") {
      secret.variable = value;
    } else {
      usage_error(
          fmt::format("--secret={}: unexpected key '{}' in '{}'; it is id=NAME[,src=FILE|,env=VARIABLE]", text, key, field));
    }
  }
  if (secret.id.empty()) usage_error(fmt::format("--secret={}: id=NAME is missing", text));
  if (secret.type == "env" && secret.file && !secret.variable) secret.variable = std::exchange(secret.file, std::nullopt);
  return secret;
}

std::string read_file(const std::string& flag, const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file || std::filesystem::is_directory(path)) usage_error(fmt::format("{}: '{}' cannot be read", flag, path));
  return {std::istreambuf_iterator<char>(file), {}};
}

}  // namespace

void add_secret(engine::BuildRequest& request, const std::string& text) {
  const std::string flag = "--secret=" + text;
  SecretText secret = parse_secret(text);
  if (secret.file && secret.variable) usage_error(flag + ": both src and env are given");
  if (!secret.file && !secret.variable) {
    const bool is_variable = secret.type != "file" && std::getenv(secret.id.c_str());
    (is_variable || secret.type == "env" ? secret.variable : secret.file) = secret.id;
  }
  std::string bytes;
  if (secret.variable) {
    const char* value = std::getenv(secret.variable->c_str());
    if (!value) usage_error(fmt::format("{}: there is no variable {}", flag, *secret.variable));
    bytes = value;
  } else {
    bytes = read_file(flag, *secret.file);
    request.input_paths.insert(std::filesystem::absolute(*secret.file).lexically_normal());
  }
  if (bytes.size() > largest_secret)
    usage_error(fmt::format("{}: it has {} bytes; {} are allowed", flag, bytes.size(), largest_secret));
  if (!request.secrets.emplace(secret.id, std::move(bytes)).second) usage_error(fmt::format("{}: the id is used twice", flag));
}

void add_ssh_agent(engine::BuildRequest& request, const std::string& text) {
  const auto equals = text.find('=');
  const std::string id = text.substr(0, equals);
  if (id.empty()) usage_error(fmt::format("--ssh={}: it is default, NAME or NAME=SOCKET", text));
  std::string agent;
  if (equals != std::string::npos) {
    agent = text.substr(equals + 1);
  } else if (const char* variable = std::getenv("SSH_AUTH_SOCK")) {
    agent = variable;
  }
  if (agent.empty()) usage_error(fmt::format("--ssh={}: there is no agent: SSH_AUTH_SOCK is not set", text));
  struct stat status{};
  if (stat(agent.c_str(), &status) != 0) usage_error(fmt::format("--ssh={}: there is no '{}'", text, agent));
  if (!S_ISSOCK(status.st_mode)) {
    usage_error(fmt::format("--ssh={}: '{}' is not an agent's socket; start an ssh-agent and ssh-add the key", text, agent));
  }
  if (!request.ssh_agents.emplace(id, std::filesystem::absolute(agent)).second)
    usage_error(fmt::format("--ssh={}: the id is used twice", text));
}

}  // namespace kiln::tools
