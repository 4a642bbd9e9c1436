#include "engine/cache/store.hpp"

#include <filesystem>

#include <fmt/format.h>

#include "engine/cache/layout_store.hpp"
#include "engine/cache/registry_store.hpp"
#include "io/base/error.hpp"

namespace kiln::engine {

std::optional<std::string> layout_directory(const std::string& place) {
  constexpr std::string_view layout = "oci:";
  if (!place.starts_with(layout)) return std::nullopt;
  if (place.size() == layout.size())
    throw io::Error(io::ErrorKind::usage, fmt::format("--cache-repo={}: a path is missing", place));
  return std::filesystem::absolute(place.substr(layout.size())).lexically_normal();
}

std::unique_ptr<CacheStore> open_cache_store(io::Runtime& runtime, oci::RegistryHub& hub, const std::string& place) {
  if (const auto directory = layout_directory(place)) return open_layout_store(runtime, *directory);
  try {
    return open_registry_store(runtime, hub, oci::parse_reference(place));
  } catch (io::Error& error) {
    error.add_context(fmt::format("--cache-repo={}", place));
    throw;
  }
}

}  // namespace kiln::engine
