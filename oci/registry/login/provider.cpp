#include "oci/registry/login/provider.hpp"

#include <cstdlib>

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "io/base/error.hpp"
#include "io/file/read_file.hpp"
#include "io/http/retry.hpp"

namespace kiln::oci {

using io::Task;
namespace http = io::http;

namespace {

constexpr std::size_t largest_answer = 1U << 20U;

std::unique_ptr<LoginProvider> make_provider(http::Client& client, const std::string& name) {
  if (name == "env") return make_environment_login();
  if (name == "google") return make_google_login(client);
  if (name == "ecr") return make_aws_login(client);
  if (name == "acr") return make_azure_login(client);
  if (name == "gitlab") return make_gitlab_login();
  throw io::Error(io::ErrorKind::usage, fmt::format("--credential-helpers={}: it is one of env, google, ecr, acr, gitlab", name));
}

}  // namespace

std::vector<std::unique_ptr<LoginProvider>> make_login_providers(http::Client& client,
                                                                 const std::optional<std::vector<std::string>>& names) {
  static const std::vector<std::string> all = {"env", "google", "ecr", "acr", "gitlab"};
  std::vector<std::unique_ptr<LoginProvider>> providers;
  for (const auto& name : names ? *names : all) {
    if (!name.empty()) providers.push_back(make_provider(client, name));
  }
  return providers;
}

Task<CloudAnswer> ask_cloud(http::Client& client, http::Request request, std::string doing) {
  const http::Body body = request.body.value_or(http::Body());
  const auto make_request = [request, body] {
    http::Request again = request;
    if (body.rewind) body.rewind();
    return again;
  };
  http::RetryPolicy policy;
  policy.attempts = 3;
  http::Response response = co_await http::send_with_retry(client, make_request, policy, doing);
  CloudAnswer answer;
  answer.status = response.status();
  answer.body = co_await response.read_all(largest_answer);
  co_return answer;
}

Task<std::optional<CloudAnswer>> ask_metadata(http::Client& client, http::Request request) {
  request.direct = true;
  request.timeouts.connect = std::chrono::seconds(1);
  request.timeouts.response = std::chrono::seconds(10);
  const std::string url = request.url.text();
  std::optional<CloudAnswer> answer;
  try {
    http::Response response = co_await client.send(std::move(request));
    CloudAnswer given;
    given.status = response.status();
    given.body = co_await response.read_all(largest_answer);
    answer = std::move(given);
  } catch (const io::Error& error) {
    if (error.kind() == io::ErrorKind::cancelled) throw;
    spdlog::debug("no metadata service at {}: {}", url, error.message());
  }
  co_return answer;
}

http::Request get_request(const std::string& url) {
  http::Request request;
  request.url = http::parse_url(url);
  return request;
}

http::Request form_request(const std::string& url, const std::vector<std::pair<std::string, std::string>>& fields) {
  http::Request request = get_request(url);
  request.method = "POST";
  request.headers.set("Content-Type", "application/x-www-form-urlencoded");
  std::string text;
  for (const auto& [name, value] : fields) {
    text += fmt::format("{}{}={}", text.empty() ? "" : "&", name, http::percent_encode(value));
  }
  request.body = http::Body::text(std::move(text));
  return request;
}

std::string variable_or(const char* name, std::string_view otherwise) {
  const char* value = std::getenv(name);
  return value && *value ? value : std::string(otherwise);
}

std::string read_login_file(const std::string& path, std::string_view what) {
  auto text = io::read_file(path);
  if (!text) throw io::Error(io::ErrorKind::usage, fmt::format("{} '{}' cannot be read", what, path));
  return std::move(*text);
}

std::string without_port(const std::string& host) {
  const auto colon = host.rfind(':');
  return colon == std::string::npos || host.ends_with(']') ? host : host.substr(0, colon);
}

}  // namespace kiln::oci
