// Requests to one registry: scheme, login, retries. What the operations of a Registry are made of.
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>

#include "io/http/client.hpp"
#include "io/http/retry.hpp"
#include "io/loop/notify.hpp"
#include "oci/registry/client.hpp"

namespace kiln::oci {

// A WWW-Authenticate challenge (RFC 9110 section 11.6.1): scheme in lower case and its parameters.
struct Challenge {
  std::string scheme;
  std::map<std::string, std::string> parameters;
};
Challenge parse_challenge(std::string_view header);

// The registry's errors[] as text, or the start of a body that is not JSON (distribution-spec, Error Codes).
std::string describe_error(int status, std::string_view body);

class Session {
 public:
  Session(io::Runtime& runtime, io::http::Client& http, std::shared_ptr<CredentialStore> credentials, std::string host,
          RegistryAccess access, RegistryOptions options);

  struct Call {
    std::string doing;  // for messages: "getting manifest a/b:latest"
    std::string method = "GET";
    std::string path;              // "/v2/..." or an absolute URL that the registry gave
    std::string repository;        // for the login and the scope
    std::string actions = "pull";  // "pull" or "pull,push"
    std::string more_scope;        // of another repository (cross-repository mount)
    io::http::Headers headers;
    std::function<io::http::Body()> body;  // made anew for each attempt; empty: none
    bool retry = true;                     // try again on 429, 5xx and broken connections
  };

  // Any status but the registry's own 401 (which is answered by logging in) comes back. Errors name the registry and what
  // was being done. Logins are only sent to the registry's own scheme, host and port.
  io::Task<io::http::Response> send(Call call);

  // Throws for a response that is not what was hoped for: not_found, denied, unsupported (413), network (a status that may
  // pass), protocol; with the registry's words. A Retry-After is remembered.
  io::Task<void> refuse(io::http::Response response, std::string doing);
  // For those who try again by themselves: the delay before attempt `attempt` (1 = first retry), or longer when a refusal
  // asked for that.
  std::chrono::milliseconds delay_before_retry(int attempt) const;

  io::http::Url url_of(const std::string& path) const;
  const std::string& host() const noexcept { return host_; }
  const RegistryOptions& options() const noexcept { return options_; }
  io::Runtime& runtime() noexcept { return runtime_; }
  std::chrono::steady_clock::time_point last_answer() const noexcept { return last_answer_; }

 private:
  io::Task<io::http::Response> send_authorized(const Call& call, const std::string& scope, bool retry);
  struct Token {
    std::string authorization;
    std::chrono::steady_clock::time_point expires;
  };
  std::string authorization_for(const std::string& scope);  // empty: none, or expired
  io::Task<bool> renew_login(const Call& call, const std::string& scope, std::string challenge, std::string refused);
  io::Task<bool> log_in(const Call& call, const std::string& scope, std::string challenge);
  io::Task<Token> fetch_token(Challenge challenge, Credentials credentials, std::string scope);
  std::string explanation() const;
  static io::Task<std::string> read_error_body(io::http::Response& response);
  bool is_ours(const io::http::Url& url) const;
  io::http::Trust trust() const;
  io::Task<void> choose_scheme();
  io::Task<std::optional<io::Error>> probe_schemes();

  io::Runtime& runtime_;
  io::http::Client& http_;
  std::shared_ptr<CredentialStore> credentials_;
  std::string host_;
  RegistryAccess access_;
  RegistryOptions options_;
  std::string scheme_;                   // empty until the first request
  std::string login_;                    // user name that was used, for messages
  std::map<std::string, Token> tokens_;  // by scope
  std::set<std::string> logging_in_;     // scopes
  io::Notify login_ended_;
  std::chrono::steady_clock::time_point busy_until_;  // as the last Retry-After said
  std::chrono::steady_clock::time_point last_answer_;
};

struct Registry::Impl {
  Session session;
  Impl(io::Runtime& runtime, io::http::Client& http, std::shared_ptr<CredentialStore> credentials, std::string host,
       RegistryAccess access, RegistryOptions options)
      : session(runtime, http, std::move(credentials), std::move(host), access, std::move(options)) {}
};

}  // namespace kiln::oci
