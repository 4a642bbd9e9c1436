#include "engine/cache/base_config.hpp"

#include <chrono>

#include "engine/cache/artifact.hpp"
#include "engine/cache/entry.hpp"
#include "io/base/error.hpp"
#include "oci/image/config.hpp"
#include "oci/image/json_fields.hpp"
#include "oci/registry/login/base64.hpp"

namespace kiln::engine {

namespace {

constexpr const char* base_annotation = "kiln.cache.base";
constexpr std::string_view empty_type = "application/vnd.oci.empty.v1+json";

std::string annotation(const oci::Manifest& manifest, const char* name) {
  const auto found = manifest.annotations.find(name);
  return found == manifest.annotations.end() ? "" : found->second;
}

}  // namespace

oci::Image make_base_config(const std::string& key, const oci::Descriptor& config, const std::string& config_bytes,
                            const std::string& name, std::int64_t created) {
  oci::Image image;
  image.config_bytes = config_bytes;
  image.platform = oci::host_platform();
  image.manifest.format = oci::ImageFormat::oci;
  image.manifest.config.media_type = oci::media_type::oci_config;
  image.manifest.config.digest = config.digest;
  image.manifest.config.size = config_bytes.size();
  oci::Descriptor empty;
  empty.media_type = empty_type;
  empty.digest = oci::Digest::of(io::as_bytes(empty_layer_bytes));
  empty.size = empty_layer_bytes.size();
  image.manifest.layers = {empty};
  image.manifest.annotations = {{key_annotation, key},
                                {base_annotation, name},
                                {created_annotation, oci::format_rfc3339(oci::Timestamp(std::chrono::seconds(created)))}};
  oci::Json document = oci::Json::parse(oci::serialize(image.manifest));
  document["config"]["data"] = oci::base64(config_bytes);
  image.manifest_bytes = oci::dump_like_go(document);
  image.manifest_digest = oci::Digest::of(io::as_bytes(image.manifest_bytes));
  return image;
}

bool is_base_config(const oci::Manifest& manifest) { return manifest.annotations.contains(base_annotation); }

std::string read_base_config(const std::string& key, const oci::Descriptor& config, std::string_view text) {
  std::string bytes;
  try {
    const oci::Manifest manifest = oci::parse_manifest(text, oci::media_type::oci_manifest);
    if (annotation(manifest, key_annotation) != key) throw io::Error(io::ErrorKind::integrity, "it is another key's");
    const oci::Json document = oci::parse_json_object(text, "the cached config");
    bytes = oci::base64_decode(oci::text_field(*oci::member(document, "config"), "data"), "the cached config");
  } catch (const io::Error& error) {
    throw io::Error(io::ErrorKind::integrity, error.message());
  }
  if (oci::Digest::of(io::as_bytes(bytes)) != config.digest) throw io::Error(io::ErrorKind::integrity, "it has another config");
  return bytes;
}

std::string base_config_name(const oci::Manifest& manifest) { return annotation(manifest, base_annotation); }

std::int64_t base_config_created(const oci::Manifest& manifest) {
  const auto created = oci::parse_rfc3339(annotation(manifest, created_annotation));
  return created ? std::chrono::duration_cast<std::chrono::seconds>(created->time_since_epoch()).count() : 0;
}

}  // namespace kiln::engine
