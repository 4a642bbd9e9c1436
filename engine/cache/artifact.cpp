#include "engine/cache/artifact.hpp"

#include <chrono>

#include "io/base/error.hpp"
#include "oci/image/config.hpp"
#include "oci/registry/login/base64.hpp"

namespace kiln::engine {

namespace {

constexpr const char* document_annotation = "kiln.cache.document";

}  // namespace

oci::Image make_artifact(std::string_view type, std::vector<oci::Descriptor> layers,
                         std::map<std::string, std::string> annotations) {
  oci::Image image;
  image.config_bytes = "{}";
  image.manifest.format = oci::ImageFormat::oci;
  image.manifest.config.media_type = type;
  image.manifest.config.digest = oci::Digest::of(io::as_bytes(image.config_bytes));
  image.manifest.config.size = image.config_bytes.size();
  image.manifest.layers = std::move(layers);
  if (image.manifest.layers.empty()) {
    image.manifest.layers.push_back(image.manifest.config);
    image.manifest.layers.back().media_type = "application/vnd.oci.empty.v1+json";
  }
  image.manifest.annotations = std::move(annotations);
  image.manifest_bytes = oci::serialize(image.manifest);
  image.manifest_digest = oci::Digest::of(io::as_bytes(image.manifest_bytes));
  return image;
}

io::Task<void> push_artifact(oci::Registry& registry, std::string repository, std::string tag, oci::Image artifact) {
  const oci::Digest& config = artifact.manifest.config.digest;
  const bool there = co_await registry.has_blob(repository, config);
  if (!there) co_await registry.upload_bytes(repository, artifact.config_bytes, config);
  oci::RawManifest raw;
  raw.bytes = artifact.manifest_bytes;
  raw.media_type = oci::media_type::oci_manifest;
  raw.digest = artifact.manifest_digest;
  co_await registry.put_manifest(std::move(repository), std::move(tag), std::move(raw));
}

std::map<std::string, std::string> document_annotations(const std::string& bytes, std::int64_t created) {
  return {{document_annotation, oci::base64(bytes)},
          {created_annotation, oci::format_rfc3339(oci::Timestamp(std::chrono::seconds(created)))}};
}

std::int64_t created_of(const oci::Manifest& artifact) {
  const auto text = artifact.annotations.find(created_annotation);
  const auto time = text == artifact.annotations.end() ? std::nullopt : oci::parse_rfc3339(text->second);
  return time ? std::chrono::duration_cast<std::chrono::seconds>(time->time_since_epoch()).count() : 0;
}

void describe_mount(const oci::Manifest& manifest, StoredEntry& entry) {
  entry.kind = StoredEntry::Kind::mount;
  const auto id = manifest.annotations.find(mount_id_annotation);
  if (manifest.config.media_type != mount_type || id == manifest.annotations.end()) {
    throw io::Error(io::ErrorKind::integrity, "it is no cache mount");
  }
  entry.created = created_of(manifest);
  entry.step = id->second;
  for (const auto& chunk : manifest.layers) entry.size += chunk.size;
}

std::string document_of(const oci::Manifest& manifest) {
  const auto found = manifest.annotations.find(document_annotation);
  if (found == manifest.annotations.end()) throw io::Error(io::ErrorKind::integrity, "it holds no document");
  try {
    return oci::base64_decode(found->second, "the document");
  } catch (const io::Error& error) {
    throw io::Error(io::ErrorKind::integrity, error.message());
  }
}

}  // namespace kiln::engine
