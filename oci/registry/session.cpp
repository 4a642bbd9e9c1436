#include "oci/registry/session.hpp"

#include <algorithm>

#include <asio/ip/address.hpp>
#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "io/base/error.hpp"
#include "io/http/wire.hpp"
#include "oci/image/json_fields.hpp"

namespace kiln::oci {

namespace {

using io::Task;
namespace http = io::http;

// Hosts that Kaniko's library always allows http for: loopback, private addresses (RFC 1918), *.local.
bool is_local_host(const std::string& host) {
  if (host == "localhost" || host.ends_with(".localhost") || host.ends_with(".local")) return true;
  asio::error_code error;
  const auto address = asio::ip::make_address(host, error);
  if (error) return false;
  if (address.is_loopback()) return true;
  if (!address.is_v4()) return false;
  const auto bytes = address.to_v4().to_bytes();
  return bytes[0] == 10 || (bytes[0] == 172 && (bytes[1] & 0xf0U) == 16) || (bytes[0] == 192 && bytes[1] == 168);
}

std::string network_host(const std::string& host) { return host == "docker.io" ? "registry-1.docker.io" : host; }

}  // namespace

std::string describe_error(int status, std::string_view body) {
  std::string text = fmt::format("status {}", status);
  try {
    const Json document = parse_json_object(body, "body");
    const Json* errors = member(document, "errors");
    if (errors && errors->is_array()) {
      for (const auto& error : *errors) {
        if (error.is_object()) text += fmt::format(": {} {}", text_field(error, "code"), text_field(error, "message"));
      }
      return text;
    }
  } catch (const io::Error&) {  // not JSON: shown as it is
  }
  std::string start(body.substr(0, 200));
  std::replace_if(start.begin(), start.end(), [](unsigned char c) { return std::iscntrl(c) != 0; }, ' ');
  return start.empty() ? text : text + ": " + start;
}

Session::Session(io::Runtime& runtime, http::Client& http, std::shared_ptr<CredentialStore> credentials, std::string host,
                 RegistryAccess access, RegistryOptions options)
    : runtime_(runtime),
      http_(http),
      credentials_(std::move(credentials)),
      host_(std::move(host)),
      access_(access),
      options_(std::move(options)),
      login_ended_(runtime.executor()) {}

http::Url Session::url_of(const std::string& path) const {
  if (path.find("://") != std::string::npos) return http::parse_url(path);
  return http::parse_url(fmt::format("{}://{}{}", scheme_, network_host(host_), path));
}

bool Session::is_ours(const http::Url& url) const { return url.same_origin(url_of("/v2/")); }

// Of this host, its token service and its storage, which are often elsewhere.
http::Trust Session::trust() const { return {network_host(host_), access_.skip_tls_verify}; }

// https unless http is allowed and https does not answer.
Task<void> Session::choose_scheme() {
  const std::string host_only = http::parse_url("https://" + network_host(host_)).host;
  if (!access_.plain_http && !is_local_host(host_only)) {
    scheme_ = "https";
    co_return;
  }
  const auto give_up = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  for (int tried = 1;; ++tried) {
    std::optional<io::Error> failure = co_await probe_schemes();
    if (!failure) co_return;
    const bool again =
        http::is_retryable_error(*failure) && tried < options_.attempts && std::chrono::steady_clock::now() < give_up;
    if (!again) throw failure->add_context(fmt::format("registry {}", host_));
    co_await io::sleep_for(http::backoff_delay({}, tried));
  }
}

// Sets the scheme, or gives what went wrong. A certificate that cannot be trusted is an answer, and no reason to go on
// without TLS; it is not asked for again.
Task<std::optional<io::Error>> Session::probe_schemes() {
  std::optional<io::Error> failure;
  for (const char* scheme : {"https", "http"}) {
    http::Request request;
    request.url = http::parse_url(fmt::format("{}://{}/v2/", scheme, network_host(host_)));
    request.trust = trust();
    request.timeouts.connect = std::chrono::seconds(10);
    try {
      http::Response response = co_await http_.send(std::move(request));
      co_await response.discard();
      scheme_ = scheme;
      co_return std::nullopt;
    } catch (const io::Error& error) {
      if (error.kind() == io::ErrorKind::cancelled) throw;
      if (error.kind() == io::ErrorKind::denied) co_return error;
      if (!failure) failure = error;
    }
  }
  co_return failure;
}

std::string Session::authorization_for(const std::string& scope) {
  const auto token = tokens_.find(scope);
  if (token == tokens_.end()) return {};
  if (token->second.expires >= std::chrono::steady_clock::now()) return token->second.authorization;
  tokens_.erase(token);
  return {};
}

Task<http::Response> Session::send_authorized(const Call& call, const std::string& scope, bool retry) {
  const std::string authorization = authorization_for(scope);
  const auto make_request = [this, call, authorization] {
    http::Request request;
    request.method = call.method;
    request.url = url_of(call.path);
    request.trust = trust();
    request.headers = call.headers;
    if (!authorization.empty() && is_ours(request.url)) request.headers.set("Authorization", authorization);
    if (!options_.upload_user_agent.empty()) request.headers.set("User-Agent", options_.upload_user_agent);
    if (call.body) request.body = call.body();
    return request;
  };
  http::RetryPolicy policy;
  policy.attempts = retry ? options_.attempts : 1;
  http::Response response =
      co_await http::send_with_retry(http_, make_request, policy, fmt::format("registry {}: {}", host_, call.doing));
  const int status = response.status();
  if (status < 502 || status > 504) last_answer_ = std::chrono::steady_clock::now();
  co_return response;
}

Task<http::Response> Session::send(Call call) {
  if (scheme_.empty()) co_await choose_scheme();
  std::string scope;
  if (!call.repository.empty()) scope = fmt::format("repository:{}:{}", call.repository, call.actions);
  if (!call.more_scope.empty()) scope += " " + call.more_scope;
  const std::string refused = authorization_for(scope);
  http::Response response = co_await send_authorized(call, scope, call.retry);
  // Another host's challenge is not answered: the login is this registry's.
  if (response.status() != 401 || !is_ours(response.url())) co_return response;
  const auto header = response.headers().get("WWW-Authenticate");
  const std::string challenge(header.value_or(""));
  co_await response.discard();
  const bool logged_in = co_await renew_login(call, scope, challenge, refused);
  if (!logged_in) {
    throw io::Error(io::ErrorKind::denied,
                    fmt::format("registry {} wants a login for {}, and there is none: add one to config.json (DOCKER_CONFIG){}",
                                host_, call.repository, explanation()));
  }
  response = co_await send_authorized(call, scope, call.retry);
  if (response.status() == 401) {
    tokens_.erase(scope);
    const std::string body = co_await read_error_body(response);
    throw io::Error(io::ErrorKind::denied,
                    fmt::format("registry {} refuses {} on {} for {}: {}", host_, call.actions, call.repository,
                                login_.empty() ? "an anonymous user" : fmt::format("user '{}'", login_),
                                describe_error(401, body) + (login_.empty() ? explanation() : "")));
  }
  co_return response;
}

// One login at a time for each scope; who waited for it uses what it got.
Task<bool> Session::renew_login(const Call& call, const std::string& scope, std::string challenge, std::string refused) {
  while (logging_in_.contains(scope)) co_await login_ended_.wait();
  const std::string current = authorization_for(scope);
  if (!current.empty() && current != refused) co_return true;
  logging_in_.insert(scope);
  bool logged_in = false;
  std::exception_ptr failure;
  try {
    logged_in = co_await log_in(call, scope, std::move(challenge));
  } catch (...) {
    failure = std::current_exception();
  }
  logging_in_.erase(scope);
  login_ended_.notify_all();
  if (failure) std::rethrow_exception(failure);
  co_return logged_in;
}

// Why there is no login, as the end of a message.
std::string Session::explanation() const {
  const std::string why = credentials_->why_none(host_);
  return why.empty() ? "" : fmt::format(" ({})", why);
}

// Answers a challenge; false when it asks for a login that we do not have.
Task<bool> Session::log_in(const Call& call, const std::string& scope, std::string text) {
  const Challenge challenge = parse_challenge(text);
  const Credentials credentials = co_await credentials_->find(host_, call.repository, scheme_);
  login_ = credentials.username;
  Token token;
  token.expires = std::chrono::steady_clock::now() + std::chrono::hours(24);
  if (challenge.scheme == "bearer") {
    if (!credentials.registry_token.empty()) {
      token.authorization = "Bearer " + credentials.registry_token;
    } else {
      token = co_await fetch_token(challenge, credentials, scope);
    }
  } else if (challenge.scheme == "basic") {
    if (credentials.anonymous()) co_return false;
    token.authorization = http::basic_login(credentials.username + ":" + credentials.password);
  } else {
    throw io::Error(io::ErrorKind::protocol, fmt::format("registry {} asks for an unknown kind of login: '{}'", host_, text));
  }
  tokens_[scope] = std::move(token);
  co_return true;
}

// Docker's token authentication: GET with Basic, or POST with a refresh token (OAuth2). A token that does not say for how
// long is good for 60 s (distribution, Token Authentication Specification); all are renewed a little before their end.
Task<Session::Token> Session::fetch_token(Challenge challenge, Credentials credentials, std::string scope) {
  const http::Url realm = io::with_context(fmt::format("registry {}: its token service", host_),
                                           [&] { return http::parse_url(challenge.parameters["realm"]); });
  const std::string service = challenge.parameters["service"];
  if (scope.empty()) scope = challenge.parameters["scope"];
  const auto make_request = [this, realm, service, scope, credentials] {
    http::Request request;
    request.url = realm;
    request.trust = trust();
    std::string query = "service=" + http::percent_encode(service);
    if (credentials.identity_token.empty()) {
      for (std::size_t at = 0; at < scope.size();) {
        const std::size_t blank = std::min(scope.find(' ', at), scope.size());
        query += "&scope=" + http::percent_encode(scope.substr(at, blank - at));
        at = blank + 1;
      }
      request.url.target += (realm.target.find('?') == std::string::npos ? "?" : "&") + query;
      if (!credentials.username.empty()) {
        request.headers.set("Authorization", http::basic_login(credentials.username + ":" + credentials.password));
      }
    } else {
      request.method = "POST";
      request.headers.set("Content-Type", "application/x-www-form-urlencoded");
      request.body = http::Body::text(
          "grant_type=refresh_token&client_id=kiln&refresh_token=" + http::percent_encode(credentials.identity_token) +
          "&scope=" + http::percent_encode(scope) + "&" + query);
    }
    return request;
  };
  http::RetryPolicy policy;
  policy.attempts = options_.attempts;
  http::Response response = co_await http::send_with_retry(http_, make_request, policy, fmt::format("token service of {}", host_));
  const int status = response.status();
  if (status != 200) {
    const std::string body = co_await read_error_body(response);
    throw io::Error(io::ErrorKind::denied,
                    fmt::format("registry {}: its token service at {} refuses {}: {}{}", host_, realm.authority(),
                                credentials.username.empty() ? "an anonymous user" : fmt::format("user '{}'", credentials.username),
                                describe_error(status, body), credentials.username.empty() ? explanation() : ""));
  }
  const std::string body = co_await response.read_all(1U << 20U);
  const Json answer = parse_json_object(body, fmt::format("the answer of the token service of {}", host_));
  std::string text = text_field(answer, "token");
  if (text.empty()) text = text_field(answer, "access_token");
  if (text.empty()) throw io::Error(io::ErrorKind::protocol, fmt::format("the token service of {} gave no token", host_));
  const Json* lifetime = member(answer, "expires_in");
  const std::int64_t seconds = lifetime && lifetime->is_number_integer() ? lifetime->get<std::int64_t>() : 60;
  Token token;
  token.authorization = "Bearer " + text;
  token.expires = std::chrono::steady_clock::now() + std::chrono::seconds(std::clamp<std::int64_t>(seconds, 60, 86'400)) * 5 / 6;
  co_return token;
}

// The body of an error may break off or be endless: the status is what counts.
Task<std::string> Session::read_error_body(http::Response& response) {
  std::string body;
  try {
    body = co_await response.read_all(256U << 10U);
  } catch (const io::Error& error) {
    if (error.kind() == io::ErrorKind::cancelled) throw;
  }
  co_return body;
}

Task<void> Session::refuse(http::Response response, std::string doing) {
  const int status = response.status();
  const auto asked = http::parse_retry_after(response.headers().get("Retry-After").value_or(""));
  if (asked && *asked <= http::RetryPolicy().longest_retry_after) busy_until_ = std::chrono::steady_clock::now() + *asked;
  const std::string body = co_await read_error_body(response);
  const std::string text = fmt::format("registry {}: {}: {}", host_, doing, describe_error(status, body));
  if (status == 404) throw io::Error(io::ErrorKind::not_found, text);
  if (status == 401 || status == 403) throw io::Error(io::ErrorKind::denied, text + " (is the login right, and may it do this?)");
  if (http::is_retryable_status(status)) throw io::Error(io::ErrorKind::network, text);
  if (status == 413) {
    throw io::Error(io::ErrorKind::unsupported,
                    text + " (something on the way limits the size of requests: send pieces with --upload-chunk-size)");
  }
  throw io::Error(io::ErrorKind::protocol, text);
}

std::chrono::milliseconds Session::delay_before_retry(int attempt) const {
  const auto busy = std::chrono::ceil<std::chrono::milliseconds>(busy_until_ - std::chrono::steady_clock::now());
  return std::max(http::backoff_delay({}, attempt), busy);
}

}  // namespace kiln::oci
