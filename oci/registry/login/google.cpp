// GCR and Artifact Registry: an access token of the Application Default Credentials is the password.
//
// Where they come from (Google Cloud, How Application Default Credentials works): the file that
// GOOGLE_APPLICATION_CREDENTIALS names, gcloud's file in the home directory, the metadata server (GKE workload identity).
#include <array>
#include <ctime>

#include <fmt/format.h>
#include <openssl/evp.h>
#include <openssl/pem.h>

#include "io/base/error.hpp"
#include "io/file/read_file.hpp"
#include "oci/image/json_fields.hpp"
#include "oci/registry/login/base64.hpp"
#include "oci/registry/login/provider.hpp"

namespace kiln::oci {

namespace {

using io::Task;
namespace http = io::http;

constexpr std::string_view scope = "https://www.googleapis.com/auth/cloud-platform";

// RS256 (RFC 7518 section 3.3).
std::string sign_rs256(const std::string& key_pem, const std::string& text) {
  const std::unique_ptr<BIO, decltype(&BIO_free)> memory(BIO_new_mem_buf(key_pem.data(), static_cast<int>(key_pem.size())),
                                                         BIO_free);
  const std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)> key(PEM_read_bio_PrivateKey(memory.get(), nullptr, nullptr, nullptr),
                                                                EVP_PKEY_free);
  const std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context(EVP_MD_CTX_new(), EVP_MD_CTX_free);
  std::size_t size = 0;
  const auto* bytes = reinterpret_cast<const unsigned char*>(text.data());
  if (!key || EVP_DigestSignInit(context.get(), nullptr, EVP_sha256(), nullptr, key.get()) != 1 ||
      EVP_DigestSign(context.get(), nullptr, &size, bytes, text.size()) != 1) {
    throw io::Error(io::ErrorKind::usage, "the private_key of the service account cannot be used");
  }
  std::string signature(size, '\0');
  if (EVP_DigestSign(context.get(), reinterpret_cast<unsigned char*>(signature.data()), &size, bytes, text.size()) != 1) {
    throw io::Error(io::ErrorKind::usage, "signing with the private_key of the service account failed");
  }
  signature.resize(size);
  return signature;
}

// A JWT that asks for a token of one hour (RFC 7523).
std::string assertion_of(const Json& account, const std::string& token_uri) {
  const std::time_t now = std::time(nullptr);
  const Json header = {{"alg", "RS256"}, {"typ", "JWT"}, {"kid", text_field(account, "private_key_id")}};
  const Json claims = {
      {"iss", text_field(account, "client_email")}, {"scope", scope}, {"aud", token_uri}, {"iat", now}, {"exp", now + 3600}};
  const std::string text = base64_url(header.dump()) + "." + base64_url(claims.dump());
  return text + "." + base64_url(sign_rs256(text_field(account, "private_key"), text));
}

TimedLogin login_of(const CloudAnswer& answer, std::string_view who) {
  if (answer.status != 200) {
    throw io::Error(io::ErrorKind::denied,
                    fmt::format("{} refuses: status {}: {}", who, answer.status, answer.body.substr(0, 300)));
  }
  const Json document = parse_json_object(answer.body, who);
  TimedLogin login;
  login.credentials.username = "oauth2accesstoken";
  login.credentials.password = text_field(document, "access_token");
  login.good_for = std::chrono::seconds(std::max<std::int64_t>(integer_field(document, "expires_in") - 60, 60));
  if (login.credentials.password.empty()) throw io::Error(io::ErrorKind::protocol, fmt::format("{} gave no access_token", who));
  return login;
}

class GoogleLogin final : public LoginProvider {
 public:
  explicit GoogleLogin(http::Client& client) : http_(client) {}
  std::string_view name() const override { return "google"; }
  bool serves(const std::string& with_port) const override {
    const std::string host = without_port(with_port);
    return host == "gcr.io" || host.ends_with(".gcr.io") || host.ends_with(".pkg.dev") || host.ends_with(".google.com");
  }
  Task<TimedLogin> log_in(std::string, std::string) override {
    const std::string named = variable_or("GOOGLE_APPLICATION_CREDENTIALS");
    if (!named.empty()) {
      TimedLogin login = co_await from_file(read_login_file(named, "GOOGLE_APPLICATION_CREDENTIALS"), named);
      co_return login;
    }
    const std::string gcloud = variable_or("HOME") + "/.config/gcloud/application_default_credentials.json";
    if (auto text = io::read_file(gcloud)) {
      TimedLogin login = co_await from_file(std::move(*text), gcloud);
      co_return login;
    }
    TimedLogin login = co_await from_metadata();
    co_return login;
  }

 private:
  Task<TimedLogin> from_file(std::string text, std::string path) {
    const Json account = parse_json_object(text, path);
    const std::string type = text_field(account, "type");
    std::string uri = text_field(account, "token_uri");
    if (uri.empty()) uri = "https://oauth2.googleapis.com/token";
    std::vector<std::pair<std::string, std::string>> fields;
    if (type == "service_account") {
      fields = {{"grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer"}, {"assertion", assertion_of(account, uri)}};
    } else if (type == "authorized_user") {
      fields = {{"grant_type", "refresh_token"},
                {"client_id", text_field(account, "client_id")},
                {"client_secret", text_field(account, "client_secret")},
                {"refresh_token", text_field(account, "refresh_token")}};
    } else {
      throw io::Error(
          io::ErrorKind::unsupported,
          fmt::format("{}: credentials of type '{}' are not supported; service_account and authorized_user are", path, type));
    }
    const CloudAnswer answer = co_await ask_cloud(http_, form_request(uri, fields), "Google's token service");
    co_return login_of(answer, "Google's token service");
  }

  Task<TimedLogin> from_metadata() {
    http::Request request = get_request(fmt::format("http://{}/computeMetadata/v1/instance/service-accounts/default/token",
                                                    variable_or("GCE_METADATA_HOST", "metadata.google.internal")));
    request.headers.set("Metadata-Flavor", "Google");
    const std::optional<CloudAnswer> answer = co_await ask_metadata(http_, std::move(request));
    if (answer && answer->status == 200) co_return login_of(*answer, "Google's metadata server");
    TimedLogin none;
    none.why_none = answer ? fmt::format("Google's metadata server answers {}", answer->status)
                           : "GOOGLE_APPLICATION_CREDENTIALS is not set and there is no metadata server";
    co_return none;
  }

  http::Client& http_;
};

}  // namespace

std::unique_ptr<LoginProvider> make_google_login(http::Client& client) { return std::make_unique<GoogleLogin>(client); }

}  // namespace kiln::oci
