#include "oci/registry/login/aws_keys.hpp"

#include <fstream>

#include <fmt/format.h>

#include "io/base/error.hpp"
#include "oci/image/json_fields.hpp"
#include "oci/registry/login/provider.hpp"

namespace kiln::oci {

namespace {

using io::Task;
namespace http = io::http;

std::optional<AwsKeys> keys_in(const Json& document, const char* access, const char* secret, const char* token) {
  AwsKeys keys{text_field(document, access), text_field(document, secret), text_field(document, token)};
  if (keys.access_key.empty() || keys.secret_key.empty()) return std::nullopt;
  return keys;
}

std::optional<AwsKeys> keys_in_environment() {
  AwsKeys keys{variable_or("AWS_ACCESS_KEY_ID"), variable_or("AWS_SECRET_ACCESS_KEY"), variable_or("AWS_SESSION_TOKEN")};
  if (keys.access_key.empty() || keys.secret_key.empty()) return std::nullopt;
  return keys;
}

// [profile] sections of name = value lines.
std::optional<AwsKeys> keys_in_file() {
  std::ifstream file(variable_or("AWS_SHARED_CREDENTIALS_FILE", variable_or("HOME") + "/.aws/credentials"));
  const std::string wanted = fmt::format("[{}]", variable_or("AWS_PROFILE", "default"));
  const auto trimmed = [](std::string text) {
    text.erase(0, std::min(text.find_first_not_of(" \t\r"), text.size()));
    text.erase(text.find_last_not_of(" \t\r") + 1);
    return text;
  };
  AwsKeys keys;
  std::string section;
  for (std::string line; std::getline(file, line);) {
    line = trimmed(line);
    if (line.starts_with('[')) section = line;
    const auto equals = line.find('=');
    if (section != wanted || equals == std::string::npos) continue;
    const std::string name = trimmed(line.substr(0, equals));
    const std::string value = trimmed(line.substr(equals + 1));
    if (name == "aws_access_key_id") keys.access_key = value;
    if (name == "aws_secret_access_key") keys.secret_key = value;
    if (name == "aws_session_token") keys.session_token = value;
  }
  if (keys.access_key.empty() || keys.secret_key.empty()) return std::nullopt;
  return keys;
}

// The text of an XML element without attributes: all that STS answers with.
std::string element(const std::string& xml, const std::string& name) {
  const auto begin = xml.find("<" + name + ">");
  const auto end = xml.find("</" + name + ">");
  if (begin == std::string::npos || end == std::string::npos) return {};
  return xml.substr(begin + name.size() + 2, end - begin - name.size() - 2);
}

Task<std::optional<AwsKeys>> keys_of_web_identity(http::Client& client, AwsPlace place) {
  const std::string file = variable_or("AWS_WEB_IDENTITY_TOKEN_FILE");
  const std::string role = variable_or("AWS_ROLE_ARN");
  if (file.empty() || role.empty()) co_return std::nullopt;
  const std::string token = read_login_file(file, "AWS_WEB_IDENTITY_TOKEN_FILE");
  const std::string region = variable_or("AWS_REGION", variable_or("AWS_DEFAULT_REGION", place.region));
  const std::string url = aws_endpoint("AWS_ENDPOINT_URL_STS", fmt::format("https://sts.{}.{}", region, place.domain));
  const http::Request request = form_request(url, {{"Action", "AssumeRoleWithWebIdentity"},
                                                   {"Version", "2011-06-15"},
                                                   {"RoleArn", role},
                                                   {"RoleSessionName", variable_or("AWS_ROLE_SESSION_NAME", "kiln")},
                                                   {"WebIdentityToken", token}});
  const CloudAnswer answer = co_await ask_cloud(client, request, "AWS STS");
  if (answer.status != 200) {
    throw io::Error(io::ErrorKind::denied, fmt::format("AWS STS does not let us be {}: status {}: {}", role, answer.status,
                                                       element(answer.body, "Message")));
  }
  AwsKeys keys{element(answer.body, "AccessKeyId"), element(answer.body, "SecretAccessKey"), element(answer.body, "SessionToken")};
  if (keys.access_key.empty()) throw io::Error(io::ErrorKind::protocol, "AWS STS gave no keys");
  co_return keys;
}

Task<std::optional<AwsKeys>> keys_of_container(http::Client& client) {
  std::string url = variable_or("AWS_CONTAINER_CREDENTIALS_FULL_URI");
  const std::string relative = variable_or("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI");
  if (!relative.empty()) url = "http://169.254.170.2" + relative;
  if (url.empty()) co_return std::nullopt;
  http::Request request = get_request(url);
  std::string authorization = variable_or("AWS_CONTAINER_AUTHORIZATION_TOKEN");
  if (const std::string file = variable_or("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"); !file.empty()) {
    authorization = read_login_file(file, "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE");
  }
  if (!authorization.empty()) request.headers.set("Authorization", authorization);
  const std::optional<CloudAnswer> answer = co_await ask_metadata(client, std::move(request));
  if (!answer || answer->status != 200) co_return std::nullopt;
  co_return keys_in(parse_json_object(answer->body, "the container's credentials"), "AccessKeyId", "SecretAccessKey", "Token");
}

// IMDSv2: a session token first.
Task<std::optional<AwsKeys>> keys_of_instance(http::Client& client) {
  if (variable_or("AWS_EC2_METADATA_DISABLED") == "true") co_return std::nullopt;
  std::string base = variable_or("AWS_EC2_METADATA_SERVICE_ENDPOINT", "http://169.254.169.254");
  while (base.ends_with('/')) base.pop_back();
  http::Request session = get_request(base + "/latest/api/token");
  session.method = "PUT";
  session.headers.set("X-aws-ec2-metadata-token-ttl-seconds", "300");
  session.body = http::Body::text("");
  const std::optional<CloudAnswer> token = co_await ask_metadata(client, std::move(session));
  if (!token || token->status != 200) co_return std::nullopt;
  const std::string roles = base + "/latest/meta-data/iam/security-credentials/";
  const auto with_token = [&token](const std::string& url) {
    http::Request request = get_request(url);
    request.headers.set("X-aws-ec2-metadata-token", token->body);
    return request;
  };
  const std::optional<CloudAnswer> role = co_await ask_metadata(client, with_token(roles));
  if (!role || role->status != 200) co_return std::nullopt;
  const std::string name = role->body.substr(0, role->body.find('\n'));
  const std::optional<CloudAnswer> answer = co_await ask_metadata(client, with_token(roles + name));
  if (!answer || answer->status != 200) co_return std::nullopt;
  co_return keys_in(parse_json_object(answer->body, "the instance's credentials"), "AccessKeyId", "SecretAccessKey", "Token");
}

}  // namespace

std::string aws_endpoint(const char* variable, const std::string& standard) {
  std::string url = variable_or(variable, variable_or("AWS_ENDPOINT_URL", standard));
  if (!url.ends_with('/')) url += '/';
  return url;
}

Task<std::optional<AwsKeys>> find_aws_keys(http::Client& client, AwsPlace place) {
  std::optional<AwsKeys> keys = keys_in_environment();
  if (!keys) keys = co_await keys_of_web_identity(client, place);
  if (!keys) keys = keys_in_file();
  if (!keys) keys = co_await keys_of_container(client);
  if (!keys) keys = co_await keys_of_instance(client);
  co_return keys;
}

}  // namespace kiln::oci
