#include "engine/cache/entry.hpp"

#include <chrono>

#include <fmt/format.h>

#include "engine/cache/artifact.hpp"
#include "io/base/error.hpp"
#include "oci/image/config.hpp"

namespace kiln::engine {

namespace {

constexpr const char* diff_id_annotation = "kiln.cache.diff-id";
constexpr const char* step_annotation = "kiln.cache.step";
constexpr const char* before_annotation = "kiln.cache.before";

const std::string& needed_annotation(const oci::Manifest& manifest, const char* name) {
  const auto found = manifest.annotations.find(name);
  if (found == manifest.annotations.end()) throw io::Error(io::ErrorKind::integrity, fmt::format("no annotation {}", name));
  return found->second;
}

}  // namespace

oci::Image make_entry(const std::string& key, const CachedLayer& layer) {
  const oci::Timestamp created{std::chrono::seconds(layer.created)};
  oci::ImageConfig config;
  config.created = oci::format_rfc3339(created);
  config.platform = oci::host_platform();
  config.diff_ids = {layer.diff_id};
  oci::History history;
  history.created = config.created;
  history.created_by = layer.step;
  config.history = {history};

  oci::Image image;
  image.config_bytes = oci::serialize(config);
  image.platform = config.platform;
  image.manifest.format = oci::ImageFormat::oci;
  image.manifest.config.media_type = oci::media_type::oci_config;
  image.manifest.config.digest = oci::Digest::of(io::as_bytes(image.config_bytes));
  image.manifest.config.size = image.config_bytes.size();
  oci::Descriptor descriptor = layer.layer;
  descriptor.media_type = oci::layer_media_type(oci::ImageFormat::oci, oci::compression_of(descriptor.media_type));
  image.manifest.layers = {descriptor};
  image.manifest.annotations = {
      {key_annotation, key}, {diff_id_annotation, layer.diff_id.text()}, {created_annotation, config.created}};
  if (!layer.step.empty()) image.manifest.annotations[step_annotation] = layer.step;
  if (!layer.before.empty()) image.manifest.annotations[before_annotation] = layer.before;
  image.manifest_bytes = oci::serialize(image.manifest);
  image.manifest_digest = oci::Digest::of(io::as_bytes(image.manifest_bytes));
  return image;
}

bool is_entry(const oci::Manifest& manifest) { return manifest.annotations.contains(key_annotation); }

CachedLayer read_entry(const std::string& key, const oci::Manifest& manifest) {
  if (manifest.layers.size() != 1) throw io::Error(io::ErrorKind::integrity, "it has not one layer");
  if (needed_annotation(manifest, key_annotation) != key) throw io::Error(io::ErrorKind::integrity, "it is another key's");
  const auto created = oci::parse_rfc3339(needed_annotation(manifest, created_annotation));
  if (!created) throw io::Error(io::ErrorKind::integrity, "its time cannot be read");
  CachedLayer layer;
  layer.layer = manifest.layers.front();
  layer.diff_id = oci::Digest::parse(needed_annotation(manifest, diff_id_annotation));
  layer.created = std::chrono::duration_cast<std::chrono::seconds>(created->time_since_epoch()).count();
  const auto step = manifest.annotations.find(step_annotation);
  if (step != manifest.annotations.end()) layer.step = step->second;
  const auto before = manifest.annotations.find(before_annotation);
  if (before != manifest.annotations.end()) layer.before = before->second;
  return layer;
}

}  // namespace kiln::engine
