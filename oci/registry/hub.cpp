#include "oci/registry/hub.hpp"

#include <algorithm>
#include <chrono>

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "io/base/error.hpp"
#include "io/http/retry.hpp"
#include "io/loop/notify.hpp"

namespace kiln::oci {

namespace {

std::string normal_host(std::string host) {
  return host == "index.docker.io" || host == "registry-1.docker.io" ? "docker.io" : host;
}

}  // namespace

struct RegistryHub::Impl {
  io::Runtime& runtime;
  io::http::Client& http;
  std::shared_ptr<CredentialStore> credentials;
  HubOptions options;
  std::map<std::pair<std::string, bool>, std::unique_ptr<Registry>> registries;  // by host and push

  Registry& get(const std::string& host, bool push) {
    auto& registry = registries[{host, push}];
    if (!registry) {
      registry = std::make_unique<Registry>(runtime, http, credentials, host, options.access(host, push), options.registry);
    }
    return *registry;
  }
};

RegistryHub::RegistryHub(io::Runtime& runtime, io::http::Client& http, std::shared_ptr<CredentialStore> credentials,
                         HubOptions options)
    : impl_(std::make_unique<Impl>(runtime, http, std::move(credentials), std::move(options))) {}
RegistryHub::~RegistryHub() = default;

Registry& RegistryHub::for_push(const std::string& host) { return impl_->get(normal_host(host), true); }
Registry& RegistryHub::for_pull(const std::string& host) { return impl_->get(normal_host(host), false); }

namespace {

// An index is resolved to the manifest for the platform.
io::Task<PulledManifest> pull_from(Registry& registry, std::string repository, std::string reference, Platform platform) {
  PulledManifest pulled;
  pulled.registry = &registry;
  pulled.repository = repository;
  pulled.manifest = co_await registry.get_manifest(repository, reference);
  if (is_index(pulled.manifest.media_type)) {
    const Index index = parse_index(pulled.manifest.bytes, pulled.manifest.media_type);
    const Descriptor entry = choose(index, platform);
    pulled.index = pulled.manifest.digest;
    pulled.manifest = co_await registry.get_manifest(repository, entry.digest.text());
  }
  co_return pulled;
}

struct Place {
  std::string host;
  std::string repository;
};

// Where to look for an image: the mirrors in order, then its own registry.
std::vector<Place> places_of(const Reference& reference, const HubOptions& options) {
  std::vector<Place> places;
  for (const auto& [from, mirrors] : options.mirrors) {
    if (normal_host(from) != reference.registry) continue;
    for (const auto& mirror : mirrors) {
      const auto slash = mirror.find('/');
      const std::string prefix = slash == std::string::npos ? "" : mirror.substr(slash + 1) + "/";
      places.push_back({mirror.substr(0, slash), prefix + reference.repository});
    }
  }
  if (places.empty() || !options.no_fallback) places.push_back({reference.registry, reference.repository});
  return places;
}

}  // namespace

io::Task<PulledManifest> RegistryHub::pull_manifest(Reference reference, Platform platform) {
  const std::vector<Place> places = places_of(reference, impl_->options);
  for (int tried = 0;; ++tried) {
    std::optional<io::Error> failure;
    for (const auto& place : places) {
      try {
        PulledManifest pulled =
            co_await pull_from(for_pull(place.host), place.repository, reference.manifest_reference(), platform);
        co_return pulled;
      } catch (const io::Error& error) {
        if (error.kind() == io::ErrorKind::cancelled) throw;
        failure = error;
      }
      if (places.size() > 1) spdlog::warn("{}: {}", reference.text(), failure->message());
    }
    const bool may_pass = io::http::is_retryable_error(*failure) || failure->kind() == io::ErrorKind::integrity;
    if (!may_pass || tried >= impl_->options.pull_retries) throw failure->add_context("pulling " + reference.text());
    spdlog::warn("{}; pulling again", failure->message());
    co_await io::sleep_for(std::chrono::seconds(1LL << std::min(tried, 6)));
  }
}

}  // namespace kiln::oci
