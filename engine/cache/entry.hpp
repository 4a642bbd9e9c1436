// A cache entry as an image: its manifest and its config.
#pragma once

#include <string>

#include "engine/cache/store.hpp"
#include "oci/output/image.hpp"

namespace kiln::engine {

inline constexpr const char* key_annotation = "kiln.cache.key";

oci::Image make_entry(const std::string& key, const CachedLayer& layer);

// Whether it is an entry of the cache and not some image.
bool is_entry(const oci::Manifest& manifest);

// Errors: io::Error(integrity) when the manifest is no entry, or another key's.
CachedLayer read_entry(const std::string& key, const oci::Manifest& manifest);

}  // namespace kiln::engine
