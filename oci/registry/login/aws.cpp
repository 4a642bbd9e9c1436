// ECR: GetAuthorizationToken gives user name and password.
#include <ctime>
#include <regex>

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "io/base/error.hpp"
#include "oci/image/json_fields.hpp"
#include "oci/registry/login/aws_keys.hpp"
#include "oci/registry/login/base64.hpp"
#include "oci/registry/login/provider.hpp"

namespace kiln::oci {

namespace {

using io::Task;
namespace http = io::http;

struct Place {
  std::string account;  // empty: public ECR
  std::string region;
  std::string domain;  // "amazonaws.com", "amazonaws.com.cn"
};

std::optional<Place> place_of(const std::string& with_port) {
  static const std::regex pattern(
      R"((\d{12})\.dkr[.-]ecr(-fips)?\.([a-z0-9-]+)\.(amazonaws\.com(\.cn)?|on\.aws|on\.amazonwebservices\.com\.cn))");
  const std::string host = without_port(with_port);
  if (host == "public.ecr.aws") return Place{"", "us-east-1", "amazonaws.com"};
  std::smatch match;
  if (!std::regex_match(host, match, pattern)) return std::nullopt;
  return Place{match[1], match[3], match[4].str().ends_with(".cn") ? "amazonaws.com.cn" : "amazonaws.com"};
}

class AwsLogin final : public LoginProvider {
 public:
  explicit AwsLogin(http::Client& client) : http_(client) {}
  std::string_view name() const override { return "ecr"; }
  bool serves(const std::string& host) const override { return place_of(host).has_value(); }

  Task<TimedLogin> log_in(std::string host, std::string) override {
    const Place place = *place_of(host);
    TimedLogin login;
    const std::optional<AwsKeys> keys = co_await find_aws_keys(http_, {place.region, place.domain});
    if (!keys) {
      login.why_none = "no AWS credentials in variables, web identity, credentials file, container or instance";
      co_return login;
    }
    std::optional<io::Error> failure;
    try {
      login = co_await authorization_token(place, *keys);
    } catch (const io::Error& error) {
      failure = error;
    }
    // What is public can be pulled by anybody.
    if (failure && (!place.account.empty() || failure->kind() == io::ErrorKind::cancelled)) throw *failure;
    if (failure) login.why_none = failure->message();
    co_return login;
  }

 private:
  Task<TimedLogin> authorization_token(Place place, AwsKeys keys) {
    const bool is_public = place.account.empty();
    const std::string service = is_public ? "ecr-public" : "ecr";
    http::Request request = get_request(aws_endpoint(is_public ? "AWS_ENDPOINT_URL_ECR_PUBLIC" : "AWS_ENDPOINT_URL_ECR",
                                                     fmt::format("https://api.{}.{}.{}", service, place.region, place.domain)));
    request.method = "POST";
    request.headers.set("Content-Type", "application/x-amz-json-1.1");
    request.headers.set("X-Amz-Target", is_public ? "SpencerFrontendService.GetAuthorizationToken"
                                                  : "AmazonEC2ContainerRegistry_V20150921.GetAuthorizationToken");
    const std::string body = is_public ? "{}" : fmt::format(R"({{"registryIds":["{}"]}})", place.account);
    sign_aws(request, body, place.region, service, keys, std::time(nullptr));
    request.body = http::Body::text(body);
    const CloudAnswer answer = co_await ask_cloud(http_, std::move(request), "ECR");
    if (answer.status != 200) {
      throw io::Error(io::ErrorKind::denied, fmt::format("ECR in {} refuses a login for key {}: status {}: {}", place.region,
                                                         keys.access_key, answer.status, answer.body.substr(0, 300)));
    }
    const Json document = parse_json_object(answer.body, "ECR's answer");
    const Json* data = member(document, "authorizationData");
    if (data && data->is_array() && !data->empty()) data = &data->front();
    if (!data || !data->is_object()) throw io::Error(io::ErrorKind::protocol, "ECR gave no authorizationData");
    const std::string pair = base64_decode(text_field(*data, "authorizationToken"), "ECR's authorizationToken");
    TimedLogin login;
    login.credentials.username = pair.substr(0, pair.find(':'));
    login.credentials.password = pair.substr(std::min(pair.find(':') + 1, pair.size()));
    login.good_for = std::chrono::minutes(30);
    co_return login;
  }

  http::Client& http_;
};

}  // namespace

std::unique_ptr<LoginProvider> make_aws_login(http::Client& client) { return std::make_unique<AwsLogin>(client); }

}  // namespace kiln::oci
