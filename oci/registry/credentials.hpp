// Where registry logins come from: Docker's config.json and credential helper programs.
#pragma once

#include <chrono>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "io/loop/runtime.hpp"
#include "io/loop/task.hpp"

namespace kiln::oci {

struct Credentials {
  std::string username;
  std::string password;
  std::string identity_token;  // an OAuth2 refresh token; username is then "<token>"
  std::string registry_token;  // a ready Bearer token
  bool anonymous() const { return username.empty() && identity_token.empty() && registry_token.empty(); }
};

// Parsed config.json.
struct DockerConfig {
  std::map<std::string, Credentials> auths;               // key as written
  std::map<std::string, std::string> credential_helpers;  // registry -> helper name
  std::string credentials_store;
};
// Errors: io::Error(usage) naming `origin`.
DockerConfig parse_docker_config(std::string_view json, std::string_view origin);

class LoginProvider;

// Order, as with Kaniko's keychain: DOCKER_AUTH_CONFIG (JSON in the variable), $DOCKER_CONFIG/config.json,
// $HOME/.docker/config.json, $REGISTRY_AUTH_FILE, $XDG_RUNTIME_DIR/containers/auth.json,
// ${XDG_CONFIG_HOME:-$HOME/.config}/containers/auth.json.
class CredentialStore {
 public:
  CredentialStore(io::Runtime& runtime, std::vector<DockerConfig> configs);
  ~CredentialStore();
  static std::shared_ptr<CredentialStore> from_environment(io::Runtime& runtime);
  // Asked after the files, in this order.
  void add_providers(std::vector<std::unique_ptr<LoginProvider>> providers);

  // Login for a repository: the most specific key of `auths` wins ("host/a/b", "host/a", "host"; Docker Hub also under
  // "https://index.docker.io/v1/"); helpers are asked per host. Anonymous when there is none; a helper that says
  // "credentials not found" means none; any other helper failure is Error(denied) naming the helper. Cached per host. `scheme`: how
  // the registry is reached.
  io::Task<Credentials> find(std::string host, std::string repository, std::string scheme);
  // Why the providers that serve this host gave nothing, for messages; empty: there are none, or they were not asked.
  std::string why_none(const std::string& host) const;

 private:
  io::Runtime& runtime_;
  std::vector<DockerConfig> configs_;
  std::map<std::string, Credentials> helper_answers_;
  struct Answer {
    Credentials credentials;
    std::chrono::steady_clock::time_point good_until;
    std::string why_none;
  };
  io::Task<Credentials> ask_provider(LoginProvider& provider, std::string host, std::string scheme);
  std::vector<std::unique_ptr<LoginProvider>> providers_;
  std::map<std::pair<std::string, std::string>, Answer> answers_;  // by host and provider
};

}  // namespace kiln::oci
