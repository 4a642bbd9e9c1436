#include "engine/build/registries.hpp"

#include "oci/registry/login/provider.hpp"

namespace kiln::engine {

namespace {

constexpr std::string_view hub_in_flags = "index.docker.io";

std::string host_only(const std::string& host) { return host == hub_in_flags ? "registry-1.docker.io" : host; }

bool names(const std::set<std::string>& hosts, std::string_view host) {
  return hosts.contains(std::string(host)) || (host == "docker.io" && hosts.contains(std::string(hub_in_flags)));
}

}  // namespace

io::http::ClientOptions client_options(const RegistrySettings& settings) {
  io::http::ClientOptions options;
  options.user_agent = "kiln/0.1";
  const auto host_of = [&](const std::string& host) -> io::http::HostTls& { return options.hosts[host_only(host)]; };
  for (const auto& host : settings.skip_tls_verify) host_of(host).skip_verify = true;
  for (const auto& [host, file] : settings.certificates) host_of(host).extra_ca_files.push_back(file);
  for (const auto& [host, pair] : settings.client_certificates) {
    host_of(host).client_certificate_file = pair.first;
    host_of(host).client_key_file = pair.second;
  }
  return options;
}

oci::HubOptions hub_options(const RegistrySettings& settings) {
  oci::HubOptions options;
  options.registry.upload_chunk_size = settings.upload_chunk_size;
  if (!settings.upstream_client.empty()) options.registry.upload_user_agent = "kiln/0.1," + settings.upstream_client;
  options.mirrors = settings.mirrors;
  options.no_fallback = settings.no_fallback;
  options.pull_retries = settings.pull_retries;
  options.access = [settings](std::string_view host, bool push) {
    oci::RegistryAccess access;
    access.plain_http = (push ? settings.insecure_push : settings.insecure_pull) || names(settings.insecure, host);
    access.skip_tls_verify =
        settings.skip_tls_verify_push || (!push && settings.skip_tls_verify_pull) || names(settings.skip_tls_verify, host);
    return access;
  };
  return options;
}

std::shared_ptr<oci::CredentialStore> make_credentials(io::Runtime& runtime, io::http::Client& http,
                                                       const RegistrySettings& settings) {
  auto credentials = oci::CredentialStore::from_environment(runtime);
  credentials->add_providers(oci::make_login_providers(http, settings.login_providers));
  return credentials;
}

}  // namespace kiln::engine
