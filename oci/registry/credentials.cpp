#include "oci/registry/credentials.hpp"

#include <unistd.h>

#include <cstdlib>
#include <filesystem>

#include <fmt/format.h>

#include "io/base/error.hpp"
#include "io/file/read_file.hpp"
#include "io/process/child.hpp"
#include "oci/image/json_fields.hpp"
#include "oci/registry/login/provider.hpp"

namespace kiln::oci {

namespace {

constexpr std::string_view docker_hub_key = "https://index.docker.io/v1/";

// "https://host/v1/" and "host/" are the same login as "host".
std::string plain_key(std::string key) {
  if (const auto scheme = key.find("://"); scheme != std::string::npos) key.erase(0, scheme + 3);
  while (key.ends_with('/')) key.pop_back();
  for (const char* suffix : {"/v1", "/v2"}) {
    if (key.ends_with(suffix)) key.resize(key.size() - 3);
  }
  if (key == "index.docker.io" || key == "registry-1.docker.io") key = "docker.io";
  return key;
}

const Credentials* find_auth(const DockerConfig& config, const std::string& host, const std::string& repository) {
  const std::string whole = host + "/" + repository;
  const Credentials* best = nullptr;
  std::size_t best_size = 0;
  for (const auto& [key, credentials] : config.auths) {
    const std::string plain = plain_key(key);
    const bool matches = whole == plain || (whole.starts_with(plain) && whole[plain.size()] == '/');
    if (matches && plain.size() >= best_size && !credentials.anonymous()) {
      best = &credentials;
      best_size = plain.size();
    }
  }
  return best;
}

std::string helper_for(const DockerConfig& config, const std::string& host) {
  for (const auto& [key, helper] : config.credential_helpers) {
    if (plain_key(key) == host) return helper;
  }
  return config.credentials_store;
}

std::vector<std::string> own_environment() {
  std::vector<std::string> variables;
  for (char** variable = environ; *variable; ++variable) variables.emplace_back(*variable);
  return variables;
}

io::Task<Credentials> ask_helper(io::Runtime& runtime, std::string helper, std::string host) {
  io::Command command;
  command.program = "docker-credential-" + helper;
  command.arguments = {"get"};
  command.environment = own_environment();
  command.input = host == "docker.io" ? std::string(docker_hub_key) : host;
  const std::string program = command.program;
  const io::Output output = co_await io::run_and_collect(runtime, std::move(command), 1U << 20U);
  Credentials credentials;
  if (!output.status.ok()) {
    std::string said = output.out + output.err;
    while (said.ends_with('\n')) said.pop_back();
    if (said.find("credentials not found") != std::string::npos) co_return credentials;
    throw io::Error(io::ErrorKind::denied,
                    fmt::format("asking {} for the login of {}: exit code {}: {}", program, host, output.status.code, said));
  }
  const Json answer = parse_json_object(output.out, "the answer of " + program);
  credentials.username = text_field(answer, "Username");
  credentials.password = text_field(answer, "Secret");
  if (credentials.username == "<token>") credentials.identity_token = std::exchange(credentials.password, {});
  co_return credentials;
}

std::string variable(const char* name) {
  const char* value = std::getenv(name);
  return value ? value : "";
}

std::vector<std::string> config_files() {
  std::vector<std::string> files;
  const auto add = [&](const std::filesystem::path& base, const char* rest) {
    if (!base.empty()) files.push_back(base / rest);
  };
  const std::filesystem::path home = variable("HOME");
  add(variable("DOCKER_CONFIG"), "config.json");
  add(home, ".docker/config.json");
  if (std::string file = variable("REGISTRY_AUTH_FILE"); !file.empty()) files.push_back(std::move(file));
  add(variable("XDG_RUNTIME_DIR"), "containers/auth.json");
  const std::string config = variable("XDG_CONFIG_HOME");
  add(config.empty() && !home.empty() ? home / ".config" : std::filesystem::path(config), "containers/auth.json");
  return files;
}

}  // namespace

CredentialStore::CredentialStore(io::Runtime& runtime, std::vector<DockerConfig> configs)
    : runtime_(runtime), configs_(std::move(configs)) {}

CredentialStore::~CredentialStore() = default;

void CredentialStore::add_providers(std::vector<std::unique_ptr<LoginProvider>> providers) { providers_ = std::move(providers); }

std::shared_ptr<CredentialStore> CredentialStore::from_environment(io::Runtime& runtime) {
  std::vector<DockerConfig> configs;
  const std::string inline_config = variable("DOCKER_AUTH_CONFIG");
  if (!inline_config.empty()) configs.push_back(parse_docker_config(inline_config, "DOCKER_AUTH_CONFIG"));
  for (const auto& path : config_files()) {
    const auto text = io::read_file(path);
    if (!text) continue;
    configs.push_back(parse_docker_config(*text, path));
    break;  // the first file that exists is the one
  }
  return std::make_shared<CredentialStore>(runtime, std::move(configs));
}

io::Task<Credentials> CredentialStore::find(std::string host, std::string repository, std::string scheme) {
  for (const auto& config : configs_) {
    const std::string helper = helper_for(config, host);
    if (!helper.empty()) {
      const std::string key = helper + " " + host;
      if (!helper_answers_.contains(key)) {
        Credentials answer = co_await ask_helper(runtime_, helper, host);
        helper_answers_[key] = std::move(answer);
      }
      if (!helper_answers_[key].anonymous()) co_return helper_answers_[key];
    }
    if (const Credentials* found = find_auth(config, host, repository)) co_return *found;
  }
  for (const auto& provider : providers_) {
    if (!provider->serves(host)) continue;
    const Credentials credentials = co_await ask_provider(*provider, host, scheme);
    if (!credentials.anonymous()) co_return credentials;
  }
  co_return Credentials();
}

io::Task<Credentials> CredentialStore::ask_provider(LoginProvider& provider, std::string host, std::string scheme) {
  const auto key = std::pair(host, std::string(provider.name()));
  const auto known = answers_.find(key);
  if (known != answers_.end() && known->second.good_until > std::chrono::steady_clock::now()) co_return known->second.credentials;
  std::optional<io::Error> failure;
  TimedLogin login;
  try {
    login = co_await provider.log_in(host, std::move(scheme));
  } catch (const io::Error& error) {
    failure = error;
  }
  if (failure) throw failure->add_context(fmt::format("getting a login for {} ({})", host, provider.name()));
  answers_[key] = {login.credentials, std::chrono::steady_clock::now() + login.good_for, login.why_none};
  co_return login.credentials;
}

std::string CredentialStore::why_none(const std::string& host) const {
  std::string text;
  for (const auto& [key, answer] : answers_) {
    if (key.first == host && !answer.why_none.empty())
      text += fmt::format("{}{}: {}", text.empty() ? "" : "; ", key.second, answer.why_none);
  }
  return text;
}

}  // namespace kiln::oci
