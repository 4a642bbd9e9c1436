#include "oci/registry/login/aws_signature.hpp"

#include <algorithm>
#include <cctype>
#include <map>

#include <fmt/chrono.h>
#include <fmt/format.h>

#include "io/base/bytes.hpp"
#include "oci/image/digest.hpp"
#include "oci/registry/login/hmac.hpp"

namespace kiln::oci {

namespace {

std::string sha256_hex(const std::string& text) { return std::string(Digest::of(io::as_bytes(text)).hex()); }

std::string hex(const std::string& bytes) {
  std::string text;
  for (const unsigned char byte : bytes) text += fmt::format("{:02x}", byte);
  return text;
}

std::string lower(std::string_view text) {
  std::string result(text);
  std::transform(result.begin(), result.end(), result.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return result;
}

}  // namespace

void sign_aws(io::http::Request& request, const std::string& body, const std::string& region, const std::string& service,
              const AwsKeys& keys, std::time_t now) {
  const std::string time = fmt::format("{:%Y%m%dT%H%M%SZ}", fmt::gmtime(now));
  const std::string day = time.substr(0, 8);
  request.headers.set("X-Amz-Date", time);
  if (!keys.session_token.empty()) request.headers.set("X-Amz-Security-Token", keys.session_token);
  std::map<std::string, std::string> headers = {{"host", request.url.authority()}};
  for (const auto& [name, value] : request.headers.fields()) headers[lower(name)] = value;
  std::string lines, names;
  for (const auto& [name, value] : headers) {
    lines += fmt::format("{}:{}\n", name, value);
    names += (names.empty() ? "" : ";") + name;
  }
  const auto question = request.url.target.find('?');
  const std::string path = request.url.target.substr(0, question);
  const std::string query = question == std::string::npos ? "" : request.url.target.substr(question + 1);
  const std::string canonical = fmt::format("{}\n{}\n{}\n{}\n{}\n{}", request.method, path, query, lines, names, sha256_hex(body));
  const std::string scope = fmt::format("{}/{}/{}/aws4_request", day, region, service);
  const std::string to_sign = fmt::format("AWS4-HMAC-SHA256\n{}\n{}\n{}", time, scope, sha256_hex(canonical));
  const std::string key =
      hmac_sha256(hmac_sha256(hmac_sha256(hmac_sha256("AWS4" + keys.secret_key, day), region), service), "aws4_request");
  request.headers.set("Authorization", fmt::format("AWS4-HMAC-SHA256 Credential={}/{}, SignedHeaders={}, Signature={}",
                                                   keys.access_key, scope, names, hex(hmac_sha256(key, to_sign))));
}

}  // namespace kiln::oci
