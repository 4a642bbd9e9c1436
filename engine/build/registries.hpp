// How a command's settings become connections to registries.
#pragma once

#include "engine/build/request.hpp"
#include "io/http/client.hpp"
#include "oci/registry/hub.hpp"

namespace kiln::engine {

io::http::ClientOptions client_options(const RegistrySettings& settings);
oci::HubOptions hub_options(const RegistrySettings& settings);
// The environment's files, then the providers that the settings name.
std::shared_ptr<oci::CredentialStore> make_credentials(io::Runtime& runtime, io::http::Client& http,
                                                       const RegistrySettings& settings);

// For commands that talk to registries and build nothing.
struct RegistryConnections {
  RegistryConnections(io::Runtime& runtime, const RegistrySettings& settings)
      : http(runtime, client_options(settings)),
        hub(runtime, http, make_credentials(runtime, http, settings), hub_options(settings)) {}
  io::http::Client http;
  oci::RegistryHub hub;
};

}  // namespace kiln::engine
