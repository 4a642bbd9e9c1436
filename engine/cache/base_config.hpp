// The config of a base image, kept in the cache as a manifest that has it inside: a build that finds all of its steps then asks
// its registry for manifests only.
//
// The manifest is that of an image with this config and no files. Its config's descriptor has the bytes in `data` (image-spec 1.1,
// descriptor.md), which count only if they have the digest that the base's own manifest says.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "oci/output/image.hpp"

namespace kiln::engine {

// The only layer of the manifest, for registries that want at least one: "{}" (image-spec manifest.md).
inline constexpr std::string_view empty_layer_bytes = "{}";

// `name`: of the base, for people. `created`: seconds since the epoch, now.
oci::Image make_base_config(const std::string& key, const oci::Descriptor& config, const std::string& config_bytes,
                            const std::string& name, std::int64_t created);

// Whether it is one, and no layer's entry.
bool is_base_config(const oci::Manifest& manifest);

// The bytes of `config`, from the manifest `text`. Errors: io::Error(integrity) when it is another key's or config's.
std::string read_base_config(const std::string& key, const oci::Descriptor& config, std::string_view text);

// Of one that is listed: what it is for, and since when it is there (seconds; 0: it does not say).
std::string base_config_name(const oci::Manifest& manifest);
std::int64_t base_config_created(const oci::Manifest& manifest);

}  // namespace kiln::engine
