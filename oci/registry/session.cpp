#include "oci/registry/session.hpp"

#include <openssl/evp.h>

#include <algorithm>
#include <cctype>

#include <asio/ip/address.hpp>
#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "io/base/error.hpp"
#include "oci/image/json_fields.hpp"

namespace kiln::oci {

namespace {

using io::Task;
namespace http = io::http;

std::string base64(std::string_view text) {
  std::string out(4 * ((text.size() + 2) / 3) + 1, '\0');
  const int size = EVP_EncodeBlock(reinterpret_cast<unsigned char*>(out.data()),
                                   reinterpret_cast<const unsigned char*>(text.data()), static_cast<int>(text.size()));
  out.resize(static_cast<std::size_t>(size));
  return out;
}

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

Challenge parse_challenge(std::string_view header) {
  Challenge challenge;
  const auto blank = std::min(header.find(' '), header.size());
  challenge.scheme = header.substr(0, blank);
  std::transform(challenge.scheme.begin(), challenge.scheme.end(), challenge.scheme.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  std::string_view rest = header.substr(blank);
  while (true) {
    while (!rest.empty() && (rest.front() == ' ' || rest.front() == ',')) rest.remove_prefix(1);
    const auto equals = rest.find('=');
    if (equals == std::string_view::npos) break;
    const std::string key(rest.substr(0, equals));
    rest.remove_prefix(equals + 1);
    std::string value;
    if (rest.starts_with('"')) {
      rest.remove_prefix(1);
      while (!rest.empty() && rest.front() != '"') {
        if (rest.front() == '\\' && rest.size() > 1) rest.remove_prefix(1);
        value += rest.front();
        rest.remove_prefix(1);
      }
      if (!rest.empty()) rest.remove_prefix(1);
    } else {
      const auto end = std::min(rest.find(','), rest.size());
      value = rest.substr(0, end);
      rest.remove_prefix(end);
    }
    challenge.parameters[key] = value;
  }
  return challenge;
}

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
    : runtime_(runtime), http_(http), credentials_(std::move(credentials)), host_(std::move(host)), access_(access),
      options_(std::move(options)) {}

http::Url Session::url_of(const std::string& path) const {
  if (path.find("://") != std::string::npos) return http::parse_url(path);
  return http::parse_url(fmt::format("{}://{}{}", scheme_, network_host(host_), path));
}

// https unless http is allowed and https does not answer.
Task<void> Session::choose_scheme() {
  if (!scheme_.empty()) co_return;
  const std::string host_only = http::parse_url("https://" + network_host(host_)).host;
  if (!access_.plain_http && !is_local_host(host_only)) {
    scheme_ = "https";
    co_return;
  }
  std::optional<io::Error> failure;
  for (const char* scheme : {"https", "http"}) {
    http::Request request;
    request.url = http::parse_url(fmt::format("{}://{}/v2/", scheme, network_host(host_)));
    request.timeouts.connect = std::chrono::seconds(10);
    try {
      http::Response response = co_await http_.send(std::move(request));
      co_await response.discard();
      scheme_ = scheme;
      co_return;
    } catch (const io::Error& error) {
      if (error.kind() == io::ErrorKind::cancelled) throw;
      // A certificate that cannot be trusted is an answer, and not a reason to go on without TLS.
      const bool certificate = error.message().find("certificate") != std::string::npos;
      if (!failure || certificate) failure = error;
      if (certificate) break;
    }
  }
  throw failure->add_context(fmt::format("registry {}", host_));
}

Task<http::Response> Session::send_authorized(const Call& call, const std::string& scope, bool retry) {
  const auto token = tokens_.find(scope);
  const std::string authorization = token == tokens_.end() ? "" : token->second.authorization;
  const auto make_request = [this, call, authorization] {
    http::Request request;
    request.method = call.method;
    request.url = url_of(call.path);
    request.headers = call.headers;
    const bool ours = request.url.authority() == url_of("/v2/").authority();
    if (!authorization.empty() && ours) request.headers.set("Authorization", authorization);
    if (!options_.upload_user_agent.empty()) request.headers.set("User-Agent", options_.upload_user_agent);
    if (call.body) request.body = call.body();
    return request;
  };
  http::RetryPolicy policy;
  policy.attempts = retry ? options_.attempts : 1;
  http::Response response =
      co_await http::send_with_retry(http_, make_request, policy, fmt::format("registry {}", host_));
  co_return response;
}

Task<http::Response> Session::send(Call call) {
  if (scheme_.empty()) co_await choose_scheme();
  std::string scope;
  if (!call.repository.empty()) scope = fmt::format("repository:{}:{}", call.repository, call.actions);
  if (!call.more_scope.empty()) scope += " " + call.more_scope;
  const auto token = tokens_.find(scope);
  if (token != tokens_.end() && token->second.expires < std::chrono::steady_clock::now()) tokens_.erase(token);
  http::Response response = co_await send_authorized(call, scope, call.retry);
  if (response.status() != 401) co_return response;
  const auto header = response.headers().get("WWW-Authenticate");
  const std::string challenge(header.value_or(""));
  co_await response.discard();
  const bool logged_in = co_await log_in(call, scope, challenge);
  if (!logged_in) {
    throw io::Error(io::ErrorKind::denied,
                    fmt::format("registry {} wants a login for {}, and there is none: add one to config.json (DOCKER_CONFIG)",
                                host_, call.repository));
  }
  response = co_await send_authorized(call, scope, call.retry);
  if (response.status() == 401) {
    tokens_.erase(scope);
    const std::string body = co_await response.read_all(64U << 10U);
    throw io::Error(io::ErrorKind::denied,
                    fmt::format("registry {} refuses {} on {} for {}: {}", host_, call.actions, call.repository,
                                login_.empty() ? "an anonymous user" : fmt::format("user '{}'", login_), describe_error(401, body)));
  }
  co_return response;
}

// Answers a challenge; false when it asks for a login that we do not have.
Task<bool> Session::log_in(const Call& call, const std::string& scope, std::string text) {
  const Challenge challenge = parse_challenge(text);
  const Credentials credentials = co_await credentials_->find(host_, call.repository);
  login_ = credentials.username;
  Token token;
  token.expires = std::chrono::steady_clock::now() + std::chrono::hours(24);
  if (challenge.scheme == "bearer") {
    if (!credentials.registry_token.empty()) {
      token.authorization = "Bearer " + credentials.registry_token;
    } else {
      token.authorization = co_await fetch_token(challenge, credentials, scope);
      token.expires = std::chrono::steady_clock::now() + std::chrono::seconds(50);
    }
  } else if (challenge.scheme == "basic") {
    if (credentials.anonymous()) co_return false;
    token.authorization = "Basic " + base64(credentials.username + ":" + credentials.password);
  } else {
    throw io::Error(io::ErrorKind::protocol, fmt::format("registry {} asks for an unknown kind of login: '{}'", host_, text));
  }
  tokens_[scope] = std::move(token);
  co_return true;
}

// Docker's token authentication: GET with Basic, or POST with a refresh token (OAuth2).
Task<std::string> Session::fetch_token(Challenge challenge, Credentials credentials, std::string scope) {
  const http::Url realm = io::with_context(fmt::format("registry {}: its token service", host_),
                                           [&] { return http::parse_url(challenge.parameters["realm"]); });
  const std::string service = challenge.parameters["service"];
  if (scope.empty()) scope = challenge.parameters["scope"];
  const auto make_request = [realm, service, scope, credentials] {
    http::Request request;
    request.url = realm;
    std::string query = "service=" + http::percent_encode(service);
    if (credentials.identity_token.empty()) {
      for (std::size_t at = 0; at < scope.size();) {
        const std::size_t blank = std::min(scope.find(' ', at), scope.size());
        query += "&scope=" + http::percent_encode(scope.substr(at, blank - at));
        at = blank + 1;
      }
      request.url.target += (realm.target.find('?') == std::string::npos ? "?" : "&") + query;
      if (!credentials.username.empty()) {
        request.headers.set("Authorization", "Basic " + base64(credentials.username + ":" + credentials.password));
      }
    } else {
      request.method = "POST";
      request.headers.set("Content-Type", "application/x-www-form-urlencoded");
      request.body = http::Body::text("grant_type=refresh_token&client_id=kiln&refresh_token=" +
                                      http::percent_encode(credentials.identity_token) + "&scope=" + http::percent_encode(scope) +
                                      "&" + query);
    }
    return request;
  };
  http::RetryPolicy policy;
  policy.attempts = options_.attempts;
  http::Response response = co_await http::send_with_retry(http_, make_request, policy, fmt::format("token service of {}", host_));
  const int status = response.status();
  const std::string body = co_await response.read_all(1U << 20U);
  if (status != 200) {
    throw io::Error(io::ErrorKind::denied,
                    fmt::format("registry {}: its token service at {} refuses {}: {}", host_, realm.authority(),
                                credentials.username.empty() ? "an anonymous user" : fmt::format("user '{}'", credentials.username),
                                describe_error(status, body)));
  }
  const Json answer = parse_json_object(body, fmt::format("the answer of the token service of {}", host_));
  std::string token = text_field(answer, "token");
  if (token.empty()) token = text_field(answer, "access_token");
  if (token.empty()) throw io::Error(io::ErrorKind::protocol, fmt::format("the token service of {} gave no token", host_));
  co_return "Bearer " + token;
}

Task<void> Session::refuse(http::Response response, std::string doing) {
  const int status = response.status();
  const std::string body = co_await response.read_all(256U << 10U);
  const std::string text = fmt::format("registry {}: {}: {}", host_, doing, describe_error(status, body));
  if (status == 404) throw io::Error(io::ErrorKind::not_found, text);
  if (status == 401 || status == 403) throw io::Error(io::ErrorKind::denied, text + " (is the login right, and may it do this?)");
  if (http::is_retryable_status(status)) throw io::Error(io::ErrorKind::network, text);
  throw io::Error(io::ErrorKind::protocol, text);
}

}  // namespace kiln::oci
