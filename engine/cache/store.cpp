#include "engine/cache/store.hpp"

#include <fmt/format.h>

#include "engine/cache/layout_store.hpp"
#include "engine/cache/registry_store.hpp"
#include "io/base/error.hpp"

namespace kiln::engine {

std::unique_ptr<CacheStore> open_cache_store(io::Runtime& runtime, oci::RegistryHub& hub, const std::string& place) {
  constexpr std::string_view layout = "oci:";
  if (place.starts_with(layout)) {
    if (place.size() == layout.size())
      throw io::Error(io::ErrorKind::usage, fmt::format("--cache-repo={}: a path is missing", place));
    return open_layout_store(runtime, place.substr(layout.size()));
  }
  try {
    return open_registry_store(hub, oci::parse_reference(place));
  } catch (io::Error& error) {
    error.add_context(fmt::format("--cache-repo={}", place));
    throw;
  }
}

}  // namespace kiln::engine
