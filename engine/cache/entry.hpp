// A cache entry as an image: its manifest and its config.
#pragma once

#include <string>

#include "engine/cache/store.hpp"
#include "oci/image/manifest.hpp"

namespace kiln::engine {

struct EntryImage {
  oci::Manifest manifest;
  std::string config;  // bytes
};

EntryImage make_entry(const std::string& key, const CachedLayer& layer);

// Errors: io::Error(integrity) when the manifest is no entry, or another key's.
CachedLayer read_entry(const std::string& key, const oci::Manifest& manifest);

}  // namespace kiln::engine
