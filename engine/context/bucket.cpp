#include "engine/context/bucket.hpp"

#include <array>
#include <ctime>

#include <fmt/chrono.h>
#include <fmt/format.h>

#include "io/base/error.hpp"
#include "oci/registry/login/aws_keys.hpp"
#include "oci/registry/login/base64.hpp"
#include "oci/registry/login/hmac.hpp"
#include "oci/registry/login/provider.hpp"

namespace kiln::engine {

namespace {

using io::Task;
namespace http = io::http;

constexpr const char* empty_sha256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
constexpr const char* azure_version = "2019-12-12";

struct Object {
  std::string bucket;
  std::string key;
};

Object object_of(const std::string& url) {
  const std::string rest = url.substr(url.find("://") + 3);
  const auto slash = std::min(rest.find('/'), rest.size());
  Object object{rest.substr(0, slash), rest.substr(std::min(slash + 1, rest.size()))};
  if (object.bucket.empty()) throw io::Error(io::ErrorKind::usage, fmt::format("context {}: it names no bucket", url));
  if (object.key.empty()) object.key = "context.tar.gz";
  return object;
}

// Encoded but for its slashes.
std::string path_of_key(const std::string& key) {
  std::string path;
  for (std::size_t at = 0; at <= key.size();) {
    const auto end = std::min(key.find('/', at), key.size());
    path += (at == 0 ? "" : "/") + http::percent_encode(key.substr(at, end - at));
    at = end + 1;
  }
  return path;
}

io::Error no_login(const std::string& url, const std::string& why) {
  return io::Error(io::ErrorKind::denied, fmt::format("context {}: {}", url, why));
}

// -- S3 ----------------------------------------------------------------------------------------------------------------------

std::string s3_url(const Object& object, const oci::AwsPlace& place) {
  const std::string endpoint = oci::variable_or("S3_ENDPOINT");
  const std::string standard = fmt::format("https://s3.{}.{}", place.region, place.domain);
  const http::Url base = http::parse_url(endpoint.empty() ? standard : endpoint);
  // A certificate for *.s3... does not cover names with dots.
  const bool in_path =
      endpoint.empty() ? object.bucket.find('.') != std::string::npos : oci::variable_or("S3_FORCE_PATH_STYLE") == "true";
  const std::string host = in_path ? base.authority() : object.bucket + "." + base.authority();
  const std::string prefix = base.target.ends_with('/') ? base.target : base.target + "/";
  return fmt::format("{}://{}{}{}{}", base.scheme, host, prefix, in_path ? http::percent_encode(object.bucket) + "/" : "",
                     path_of_key(object.key));
}

Task<http::Request> s3_request(http::Client& client, std::string url) {
  const std::string region = oci::variable_or("AWS_REGION", oci::variable_or("AWS_DEFAULT_REGION", "us-east-1"));
  const oci::AwsPlace place{region, region.starts_with("cn-") ? "amazonaws.com.cn" : "amazonaws.com"};
  http::Request request = oci::get_request(s3_url(object_of(url), place));
  const std::optional<oci::AwsKeys> keys = co_await oci::find_aws_keys(client, place);
  if (!keys) throw no_login(url, "no AWS credentials in variables, web identity, credentials file, container or instance");
  request.headers.set("X-Amz-Content-Sha256", empty_sha256);
  oci::sign_aws(request, "", region, "s3", *keys, std::time(nullptr));
  co_return request;
}

// -- Google Cloud Storage (JSON API, objects.get with alt=media) --------------------------------------------------------------

Task<http::Request> google_request(http::Client& client, std::string url) {
  const Object object = object_of(url);
  std::string host = oci::variable_or("STORAGE_EMULATOR_HOST");
  const bool emulated = !host.empty();
  if (!emulated) host = "https://storage.googleapis.com";
  if (host.find("://") == std::string::npos) host = "http://" + host;
  http::Request request = oci::get_request(fmt::format("{}/storage/v1/b/{}/o/{}?alt=media", host,
                                                       http::percent_encode(object.bucket), http::percent_encode(object.key)));
  if (emulated) co_return request;
  const auto provider = oci::make_google_login(client);
  const oci::TimedLogin login = co_await provider->log_in(request.url.host, request.url.scheme);
  if (login.credentials.anonymous()) throw no_login(url, login.why_none);
  request.headers.set("Authorization", "Bearer " + login.credentials.password);
  co_return request;
}

// -- Azure Blob Storage -------------------------------------------------------------------------------------------------------

bool is_azure(const std::string& url) {
  constexpr auto domains = std::to_array<std::string_view>(
      {".blob.core.windows.net/", ".blob.core.chinacloudapi.cn/", ".blob.core.cloudapi.de/", ".blob.core.usgovcloudapi.net/"});
  if (!url.starts_with("https://")) return false;
  for (const auto domain : domains) {
    const auto at = url.find(domain);
    if (at != std::string::npos && url.find('/', 8) == at + domain.size() - 1) return true;
  }
  return false;
}

// Authorize with Shared Key, Blob service: of the twelve standard headers between the method and the account's path none is sent.
http::Request azure_request(const std::string& url) {
  http::Request request = oci::get_request(url);
  const std::string key = oci::variable_or("AZURE_STORAGE_ACCESS_KEY");
  if (key.empty()) return request;
  const std::string account = request.url.host.substr(0, request.url.host.find('.'));
  const std::string date = fmt::format("{:%a, %d %b %Y %H:%M:%S GMT}", fmt::gmtime(std::time(nullptr)));
  request.headers.set("x-ms-date", date);
  request.headers.set("x-ms-version", azure_version);
  const std::string path = request.url.target.substr(0, request.url.target.find('?'));
  const std::string to_sign =
      fmt::format("GET{}x-ms-date:{}\nx-ms-version:{}\n/{}{}", std::string(12, '\n'), date, azure_version, account, path);
  const std::string signature = oci::base64(oci::hmac_sha256(oci::base64_decode(key, "AZURE_STORAGE_ACCESS_KEY"), to_sign));
  request.headers.set("Authorization", fmt::format("SharedKey {}:{}", account, signature));
  return request;
}

}  // namespace

bool is_bucket(const std::string& url) { return url.starts_with("s3://") || url.starts_with("gs://") || is_azure(url); }

Task<http::Request> bucket_request(http::Client& client, std::string url) {
  http::Request request;
  if (url.starts_with("s3://")) {
    request = co_await s3_request(client, url);
  } else if (url.starts_with("gs://")) {
    request = co_await google_request(client, url);
  } else {
    request = azure_request(url);
  }
  co_return request;
}

}  // namespace kiln::engine
