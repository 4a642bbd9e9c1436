// All registries of a build: one Registry object a host, mirrors and maps applied to pulls.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "oci/registry/client.hpp"

namespace kiln::oci {

struct HubOptions {
  RegistryOptions registry;
  // Access for pulling from and pushing to a host.
  std::function<RegistryAccess(std::string_view host, bool push)> access;
  // registry -> "host[/prefix]" in order; "docker.io" and "index.docker.io" are one.
  std::map<std::string, std::vector<std::string>> mirrors;
  bool no_fallback = false;
  int pull_retries = 0;  // how often all places are asked for a manifest again after a failure that may pass
};

// Where a pull found its image.
struct PulledManifest {
  Registry* registry = nullptr;  // lives as long as the hub
  std::string repository;        // there, prefix included
  RawManifest manifest;          // an image manifest: an index was resolved for the platform
  Digest index;                  // of that index; empty: there was none
};

class RegistryHub {
 public:
  RegistryHub(io::Runtime& runtime, io::http::Client& http, std::shared_ptr<CredentialStore> credentials, HubOptions options);
  ~RegistryHub();

  Registry& for_push(const std::string& host);
  Registry& for_pull(const std::string& host);
  // Mirrors in order, then the registry itself; an index is resolved to the manifest for `platform`. A mirror that fails
  // is logged and passed over; the last error is thrown when none has it. Each request is tried again by itself, too
  // (RegistryOptions::attempts); `pull_retries` begins all of it anew.
  io::Task<PulledManifest> pull_manifest(Reference reference, Platform platform);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace kiln::oci
