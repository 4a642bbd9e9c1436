// ACR: a token of Azure AD is exchanged for the registry's own refresh token (Azure, ACR authentication with OAuth2).
//
// The token comes from a federated token (workload identity), a client secret, or the instance's managed identity.
#include <fmt/format.h>

#include "io/base/error.hpp"
#include "oci/image/json_fields.hpp"
#include "oci/registry/login/provider.hpp"

namespace kiln::oci {

namespace {

using io::Task;
namespace http = io::http;

// AZURE_ENVIRONMENT's names, and what is different there.
struct Cloud {
  std::string authority;
  std::string resource;
};
Cloud cloud() {
  const std::string name = variable_or("AZURE_ENVIRONMENT");
  Cloud cloud{"https://login.microsoftonline.com/", "https://management.azure.com/"};
  if (name == "AZURECHINACLOUD" || name == "AzureChinaCloud") {
    cloud = {"https://login.chinacloudapi.cn/", "https://management.chinacloudapi.cn/"};
  } else if (name == "AZUREUSGOVERNMENTCLOUD" || name == "AzureUSGovernmentCloud" || name == "AZUREUSGOVERNMENT") {
    cloud = {"https://login.microsoftonline.us/", "https://management.usgovcloudapi.net/"};
  }
  cloud.authority = variable_or("AZURE_AUTHORITY_HOST", cloud.authority);
  if (!cloud.authority.ends_with('/')) cloud.authority += '/';
  return cloud;
}

std::string field_of(const CloudAnswer& answer, const char* field, std::string_view who) {
  if (answer.status != 200) {
    throw io::Error(io::ErrorKind::denied,
                    fmt::format("{} refuses: status {}: {}", who, answer.status, answer.body.substr(0, 300)));
  }
  std::string text = text_field(parse_json_object(answer.body, who), field);
  if (text.empty()) throw io::Error(io::ErrorKind::protocol, fmt::format("{} gave no {}", who, field));
  return text;
}

class AzureLogin final : public LoginProvider {
 public:
  explicit AzureLogin(http::Client& client) : http_(client) {}
  std::string_view name() const override { return "acr"; }
  bool serves(const std::string& with_port) const override {
    const std::string host = without_port(with_port);
    for (const char* suffix : {".azurecr.io", ".azurecr.cn", ".azurecr.de", ".azurecr.us"}) {
      if (host.ends_with(suffix)) return true;
    }
    return false;
  }
  Task<TimedLogin> log_in(std::string host, std::string scheme) override {
    TimedLogin login;
    const std::string token = co_await token_of(login.why_none);
    if (token.empty()) co_return login;
    std::vector<std::pair<std::string, std::string>> fields = {
        {"grant_type", "access_token"}, {"service", host}, {"access_token", token}};
    if (const std::string tenant = variable_or("AZURE_TENANT_ID"); !tenant.empty()) fields.emplace_back("tenant", tenant);
    const std::string who = fmt::format("the token exchange of {}", host);
    const CloudAnswer answer =
        co_await ask_cloud(http_, form_request(fmt::format("{}://{}/oauth2/exchange", scheme, host), fields), who);
    login.credentials.username = "<token>";
    login.credentials.identity_token = field_of(answer, "refresh_token", who);
    login.good_for = std::chrono::hours(1);
    co_return login;
  }

 private:
  // Empty, with the reason, when this process is nobody in Azure.
  Task<std::string> token_of(std::string& why_none) {
    const Cloud where = cloud();
    const std::string client = variable_or("AZURE_CLIENT_ID");
    const std::string tenant = variable_or("AZURE_TENANT_ID");
    const std::string secret = variable_or("AZURE_CLIENT_SECRET");
    std::string federated = variable_or("AZURE_FEDERATED_TOKEN");
    if (const std::string path = variable_or("AZURE_FEDERATED_TOKEN_FILE"); !path.empty() && federated.empty()) {
      federated = read_login_file(path, "AZURE_FEDERATED_TOKEN_FILE");
    }
    if (!client.empty() && !tenant.empty() && !(secret.empty() && federated.empty())) {
      std::vector<std::pair<std::string, std::string>> fields = {
          {"grant_type", "client_credentials"}, {"client_id", client}, {"scope", where.resource + ".default"}};
      if (!secret.empty()) {
        fields.emplace_back("client_secret", secret);
      } else {
        fields.emplace_back("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer");
        fields.emplace_back("client_assertion", federated);
      }
      const std::string url = fmt::format("{}{}/oauth2/v2.0/token", where.authority, tenant);
      const CloudAnswer answer = co_await ask_cloud(http_, form_request(url, fields), "Azure AD");
      co_return field_of(answer, "access_token", "Azure AD");
    }
    std::string token = co_await managed_identity(where, client, why_none);
    co_return token;
  }

  Task<std::string> managed_identity(Cloud where, std::string client, std::string& why_none) {
    std::string url = fmt::format("{}/metadata/identity/oauth2/token?api-version=2018-02-01&resource={}",
                                  variable_or("AZURE_POD_IDENTITY_AUTHORITY_HOST", "http://169.254.169.254"),
                                  http::percent_encode(where.resource));
    if (!client.empty()) url += "&client_id=" + http::percent_encode(client);
    http::Request request = get_request(url);
    request.headers.set("Metadata", "true");
    const std::optional<CloudAnswer> answer = co_await ask_metadata(http_, std::move(request));
    if (answer && answer->status == 200) co_return field_of(*answer, "access_token", "Azure's metadata service");
    why_none = answer ? fmt::format("Azure's metadata service answers {}", answer->status)
                      : "AZURE_CLIENT_ID, AZURE_TENANT_ID and AZURE_CLIENT_SECRET or AZURE_FEDERATED_TOKEN_FILE are not set, and "
                        "there is no managed identity";
    co_return "";
  }

  http::Client& http_;
};

}  // namespace

std::unique_ptr<LoginProvider> make_azure_login(http::Client& client) { return std::make_unique<AzureLogin>(client); }

}  // namespace kiln::oci
