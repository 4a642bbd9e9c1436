#include "tools/command/cache_place.hpp"

#include <filesystem>
#include <string>

#include <fmt/format.h>

#include "io/base/error.hpp"

namespace kiln::tools {

namespace {

// What BuildKit's caches have and this one needs not: it keeps every step, as an OCI manifest, and its trouble is a warning.
bool is_without_effect(const std::string& key) {
  return key == "mode" || key == "oci-mediatypes" || key == "image-manifest" || key == "ignore-error";
}

// The value of one --cache-from or --cache-to as --cache-repo has it.
std::string place_of(const std::string& flag, const std::string& text) {
  std::string type = "registry", place;
  const std::string directory_key = flag == "--cache-from" ? "src" : "dest";
  for (const auto& field : split_csv(flag, text)) {
    if (field.find('=') == std::string::npos) {
      place = field;
      continue;
    }
    const auto [key, value] = parse_pair(flag, field);
    if (key == "type") {
      type = value;
    } else if (key == "ref" || key == directory_key) {
      place = value;
    } else if (!is_without_effect(key)) {
      usage_error(fmt::format("{}={}: unknown key '{}'", flag, text, key));
    }
  }
  if (type != "registry" && type != "local") {
    throw io::Error(io::ErrorKind::unsupported, fmt::format("{}={}: the type is registry or local", flag, text));
  }
  if (place.empty()) usage_error(fmt::format("{}={}: it names no place", flag, text));
  if (type == "registry") return place;
  return "oci:" + std::filesystem::absolute(place).lexically_normal().string();
}

}  // namespace

void resolve_docker_cache(engine::CacheSettings& cache, const ParsedFlags& flags) {
  const auto from = flags.list("cache-from");
  const auto to = flags.list("cache-to");
  if (from.empty() && to.empty()) return;
  cache.enabled = true;
  cache.read = !from.empty() && !flags.boolean("no-cache");
  cache.write = !to.empty();
  for (const auto& [flag, texts] : {std::pair{"--cache-from", from}, std::pair{"--cache-to", to}}) {
    for (const auto& text : texts) {
      const std::string place = place_of(flag, text);
      if (!cache.repository.empty() && cache.repository != place) {
        throw io::Error(io::ErrorKind::unsupported,
                        fmt::format("{}={}: a build has one cache, and it is {} already", flag, text, cache.repository));
      }
      cache.repository = place;
    }
  }
}

}  // namespace kiln::tools
