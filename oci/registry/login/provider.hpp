// Logins that are not in a file: from variables, and from a cloud's own protocol, as Kaniko's built-in helpers get them.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "io/http/client.hpp"
#include "io/loop/task.hpp"
#include "oci/registry/credentials.hpp"

namespace kiln::oci {

struct TimedLogin {
  Credentials credentials;  // anonymous: there is none
  std::chrono::seconds good_for{300};
  std::string why_none;  // for the message of a registry that wants one
};

class LoginProvider {
 public:
  virtual ~LoginProvider() = default;
  virtual std::string_view name() const = 0;
  virtual bool serves(const std::string& host) const = 0;  // "host" or "host:port"
  // scheme: how the registry is reached. Errors: denied and network, when the cloud knows us and refuses.
  virtual io::Task<TimedLogin> log_in(std::string host, std::string scheme) = 0;
};

// `names`: env, google, ecr, acr, gitlab in the order to ask; without: all, in this order. Errors: io::Error(usage) for others.
std::vector<std::unique_ptr<LoginProvider>> make_login_providers(io::http::Client& http,
                                                                 const std::optional<std::vector<std::string>>& names);

std::unique_ptr<LoginProvider> make_environment_login();                   // KANIKO_<HOST>_USER, KANIKO_<HOST>_PASSWORD
std::unique_ptr<LoginProvider> make_gitlab_login();                        // CI_REGISTRY, CI_REGISTRY_USER, CI_REGISTRY_PASSWORD
std::unique_ptr<LoginProvider> make_google_login(io::http::Client& http);  // GCR, Artifact Registry
std::unique_ptr<LoginProvider> make_aws_login(io::http::Client& http);     // ECR, public ECR
std::unique_ptr<LoginProvider> make_azure_login(io::http::Client& http);   // ACR

// -- what they share

struct CloudAnswer {
  int status = 0;
  std::string body;
};
// Sends and reads all of the answer, at most 1 MiB.
io::Task<CloudAnswer> ask_cloud(io::http::Client& http, io::http::Request request, std::string doing);
// The same of a metadata service: past any proxy, with one try and one second to connect; nothing when there is no such service.
io::Task<std::optional<CloudAnswer>> ask_metadata(io::http::Client& http, io::http::Request request);

io::http::Request get_request(const std::string& url);
// application/x-www-form-urlencoded
io::http::Request form_request(const std::string& url, const std::vector<std::pair<std::string, std::string>>& fields);

std::string variable_or(const char* name, std::string_view otherwise = "");
// Errors: io::Error(usage) saying what the file is for.
std::string read_login_file(const std::string& path, std::string_view what);
std::string without_port(const std::string& host);

}  // namespace kiln::oci
