#include <fmt/format.h>

#include "io/base/error.hpp"
#include "oci/image/json_fields.hpp"
#include "oci/registry/credentials.hpp"
#include "oci/registry/login/base64.hpp"

namespace kiln::oci {

namespace {

Credentials parse_auth(const std::string& key, const Json& json) {
  Credentials credentials;
  credentials.username = text_field(json, "username");
  credentials.password = text_field(json, "password");
  credentials.identity_token = text_field(json, "identitytoken");
  credentials.registry_token = text_field(json, "registrytoken");
  const std::string auth = text_field(json, "auth");
  if (!auth.empty()) {
    const std::string pair = base64_decode(auth, fmt::format("the 'auth' of '{}'", key));
    const auto colon = pair.find(':');
    if (colon == std::string::npos)
      throw io::Error(io::ErrorKind::usage, fmt::format("the 'auth' of '{}' is not user:password", key));
    credentials.username = pair.substr(0, colon);
    credentials.password = pair.substr(colon + 1);
    while (credentials.password.ends_with('\0')) credentials.password.pop_back();
  }
  return credentials;
}

}  // namespace

DockerConfig parse_docker_config(std::string_view text, std::string_view origin) {
  try {
    const Json document = parse_json_object(text, "it");
    DockerConfig config;
    if (const Json* auths = member(document, "auths"); auths && auths->is_object()) {
      for (const auto& [key, auth] : auths->items()) config.auths[key] = parse_auth(key, auth);
    }
    config.credential_helpers = text_map_field(document, "credHelpers");
    config.credentials_store = text_field(document, "credsStore");
    return config;
  } catch (const io::Error& error) {
    throw io::Error(io::ErrorKind::usage, fmt::format("reading registry logins from {}: {}", origin, error.message()));
  }
}

}  // namespace kiln::oci
