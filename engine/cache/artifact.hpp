// What a cache's repository holds besides entries: manifests whose config is empty and whose media type there says what they are
// (image-spec manifest.md, Guidelines for Artifact Usage).
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "engine/cache/store.hpp"
#include "oci/output/image.hpp"
#include "oci/registry/client.hpp"

namespace kiln::engine {

inline constexpr std::string_view inputs_type = "application/vnd.kiln.cache.inputs.v1+json";
inline constexpr std::string_view mount_type = "application/vnd.kiln.cache.mount.v1+json";
// Their tags begin with these.
inline constexpr std::string_view inputs_prefix = "inputs-";
inline constexpr std::string_view mount_prefix = "mount-";

// Seconds since the epoch; 0: not known.
std::int64_t created_of(const oci::Manifest& artifact);

// Without layers it has its config as one, for registries that want at least one.
oci::Image make_artifact(std::string_view type, std::vector<oci::Descriptor> layers,
                         std::map<std::string, std::string> annotations);

// Puts config and manifest; the layers are there.
io::Task<void> push_artifact(oci::Registry& registry, std::string repository, std::string tag, oci::Image artifact);

// Fills in kind, size, created and id. Errors: io::Error(integrity) for what is no cache mount.
void describe_mount(const oci::Manifest& manifest, StoredEntry& entry);

// A document in a manifest's annotation.
inline constexpr const char* created_annotation = "org.opencontainers.image.created";
inline constexpr const char* mount_id_annotation = "kiln.cache.mount";
std::map<std::string, std::string> document_annotations(const std::string& bytes, std::int64_t created);
// Errors: io::Error(integrity).
std::string document_of(const oci::Manifest& manifest);

}  // namespace kiln::engine
