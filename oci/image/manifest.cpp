#include "oci/image/manifest.hpp"

#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "io/base/error.hpp"
#include "oci/image/json_fields.hpp"

namespace kiln::oci {

namespace {

Descriptor parse_descriptor(const Json& json, std::string_view what) {
  return io::with_context(what, [&] {
    if (!json.is_object()) throw io::Error(io::ErrorKind::protocol, "not an object");
    Descriptor descriptor;
    descriptor.media_type = text_field(json, "mediaType");
    descriptor.digest = Digest::parse(text_field(json, "digest"));
    descriptor.size = size_field(json, "size");
    descriptor.annotations = text_map_field(json, "annotations");
    descriptor.urls = text_list_field(json, "urls");
    if (const Json* platform = member(json, "platform")) {
      Platform parsed;
      parsed.os = text_field(*platform, "os");
      parsed.architecture = text_field(*platform, "architecture");
      parsed.variant = text_field(*platform, "variant");
      parsed.os_version = text_field(*platform, "os.version");
      descriptor.platform = std::move(parsed);
    }
    return descriptor;
  });
}

Json to_json(const Descriptor& descriptor) {
  Json json;
  json["mediaType"] = descriptor.media_type;
  json["digest"] = descriptor.digest.text();
  json["size"] = descriptor.size;
  if (!descriptor.urls.empty()) json["urls"] = descriptor.urls;
  if (!descriptor.annotations.empty()) json["annotations"] = descriptor.annotations;
  if (descriptor.platform) {
    Json platform;
    platform["architecture"] = descriptor.platform->architecture;
    platform["os"] = descriptor.platform->os;
    if (!descriptor.platform->os_version.empty()) platform["os.version"] = descriptor.platform->os_version;
    if (!descriptor.platform->variant.empty()) platform["variant"] = descriptor.platform->variant;
    json["platform"] = std::move(platform);
  }
  return json;
}

// The document's own mediaType, else what the server said it was.
std::string media_type_of(const Json& document, std::string_view content_type) {
  const std::string own = text_field(document, "mediaType");
  if (!own.empty()) return own;
  return std::string(content_type.substr(0, content_type.find(';')));
}

// Variants that a platform runs, the best first.
std::vector<std::string> variants_for(const Platform& platform) {
  if (platform.architecture == "arm") {
    std::vector<std::string> variants;
    for (char digit = platform.variant.size() == 2 ? platform.variant[1] : '7'; digit >= '5'; --digit) {
      variants.push_back(std::string("v") + digit);
    }
    return variants;
  }
  if (platform.architecture == "arm64") return {platform.variant, "", "v8"};
  if (platform.architecture == "amd64") return {platform.variant, "", "v1"};
  return {platform.variant};
}

}  // namespace

std::string layer_media_type(ImageFormat format, io::Compression compression) {
  if (format == ImageFormat::docker) {
    if (compression == io::Compression::zstd) {
      throw io::Error(io::ErrorKind::unsupported,
                      "zstd layers need the OCI format: Docker's has no media type for them (--image-format=oci)");
    }
    const std::string gzip(media_type::docker_layer);
    return compression == io::Compression::gzip ? gzip : gzip.substr(0, gzip.size() - 5);
  }
  std::string type(media_type::oci_layer);
  if (compression != io::Compression::none) type += fmt::format("+{}", io::name_of(compression));
  return type;
}

io::Compression compression_of(std::string_view type) {
  if (type.ends_with("gzip")) return io::Compression::gzip;
  if (type.ends_with("zstd")) return io::Compression::zstd;
  return io::Compression::none;
}

bool is_index(std::string_view type) { return type == media_type::oci_index || type == media_type::docker_index; }
bool is_manifest(std::string_view type) { return type == media_type::oci_manifest || type == media_type::docker_manifest; }

Manifest parse_manifest(std::string_view text, std::string_view content_type) {
  const Json document = parse_json_object(text, "the manifest");
  const std::string type = media_type_of(document, content_type);
  if (type.find("manifest.v1+") != std::string::npos && type.find("docker") != std::string::npos) {
    throw io::Error(io::ErrorKind::unsupported, "the manifest has schema 1, which nobody writes any more: push the image again");
  }
  Manifest manifest;
  manifest.format = type == media_type::docker_manifest ? ImageFormat::docker : ImageFormat::oci;
  const Json* config = member(document, "config");
  const Json* layers = member(document, "layers");
  if (!config) throw io::Error(io::ErrorKind::protocol, "the manifest has no 'config'");
  if (!layers || !layers->is_array()) throw io::Error(io::ErrorKind::protocol, "the manifest has no list 'layers'");
  manifest.config = parse_descriptor(*config, "the manifest's 'config'");
  for (const auto& layer : *layers) manifest.layers.push_back(parse_descriptor(layer, "the manifest's 'layers'"));
  manifest.annotations = text_map_field(document, "annotations");
  return manifest;
}

Index parse_index(std::string_view text, std::string_view content_type) {
  const Json document = parse_json_object(text, "the index");
  Index index;
  index.format = media_type_of(document, content_type) == media_type::docker_index ? ImageFormat::docker : ImageFormat::oci;
  const Json* manifests = member(document, "manifests");
  if (!manifests || !manifests->is_array()) throw io::Error(io::ErrorKind::protocol, "the index has no list 'manifests'");
  for (const auto& entry : *manifests) index.manifests.push_back(parse_descriptor(entry, "the index's 'manifests'"));
  return index;
}

std::string serialize(const Manifest& manifest) {
  const bool docker = manifest.format == ImageFormat::docker;
  Json document;
  document["schemaVersion"] = 2;
  document["mediaType"] = docker ? media_type::docker_manifest : media_type::oci_manifest;
  document["config"] = to_json(manifest.config);
  document["layers"] = Json::array();
  for (const auto& layer : manifest.layers) document["layers"].push_back(to_json(layer));
  if (!manifest.annotations.empty()) document["annotations"] = manifest.annotations;
  return dump_like_go(document);
}

std::string serialize(const Index& index) {
  const bool docker = index.format == ImageFormat::docker;
  Json document;
  document["schemaVersion"] = 2;
  document["mediaType"] = docker ? media_type::docker_index : media_type::oci_index;
  document["manifests"] = Json::array();
  for (const auto& entry : index.manifests) document["manifests"].push_back(to_json(entry));
  return dump_like_go(document);
}

const Descriptor& choose(const Index& index, const Platform& platform) {
  for (const auto& variant : variants_for(platform)) {
    for (const auto& entry : index.manifests) {
      if (entry.platform && entry.platform->os == platform.os && entry.platform->architecture == platform.architecture &&
          entry.platform->variant == variant) {
        return entry;
      }
    }
  }
  std::string offered;
  for (const auto& entry : index.manifests) {
    if (!entry.platform || entry.platform->os == "unknown") continue;
    offered += (offered.empty() ? "" : ", ") + entry.platform->text();
  }
  throw io::Error(io::ErrorKind::not_found,
                  fmt::format("no image for platform {}; there is {}", platform.text(), offered.empty() ? "none" : offered));
}

}  // namespace kiln::oci
