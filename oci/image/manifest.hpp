// Manifests, indexes and descriptors in both media-type families (OCI image-spec 1.1, Docker image manifest v2.2).
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>

#include "io/codec/compression.hpp"
#include "oci/image/digest.hpp"
#include "oci/image/platform.hpp"

namespace kiln::oci {

using Json = nlohmann::ordered_json;

enum class ImageFormat { docker, oci };

namespace media_type {
inline constexpr std::string_view oci_index = "application/vnd.oci.image.index.v1+json";
inline constexpr std::string_view oci_manifest = "application/vnd.oci.image.manifest.v1+json";
inline constexpr std::string_view oci_config = "application/vnd.oci.image.config.v1+json";
inline constexpr std::string_view oci_layer = "application/vnd.oci.image.layer.v1.tar";  // +gzip, +zstd
inline constexpr std::string_view docker_index = "application/vnd.docker.distribution.manifest.list.v2+json";
inline constexpr std::string_view docker_manifest = "application/vnd.docker.distribution.manifest.v2+json";
inline constexpr std::string_view docker_config = "application/vnd.docker.container.image.v1+json";
inline constexpr std::string_view docker_layer = "application/vnd.docker.image.rootfs.diff.tar.gzip";
inline constexpr std::string_view docker_foreign_layer = "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip";
}  // namespace media_type

// Media type of a layer; throws io::Error(unsupported) for zstd in Docker's family, which has no such type.
std::string layer_media_type(ImageFormat format, io::Compression compression);
// The compression that a layer's media type promises; the first bytes of the blob decide in the end.
io::Compression compression_of(std::string_view layer_media_type);

struct Descriptor {
  std::string media_type;
  Digest digest;
  std::uint64_t size = 0;
  std::optional<Platform> platform;  // in an index
  std::map<std::string, std::string> annotations;
  std::vector<std::string> urls;  // foreign layers
};

struct Manifest {
  ImageFormat format = ImageFormat::docker;
  Descriptor config;
  std::vector<Descriptor> layers;
  std::map<std::string, std::string> annotations;
};

struct Index {
  ImageFormat format = ImageFormat::docker;
  std::vector<Descriptor> manifests;
};

bool is_index(std::string_view media_type);
bool is_manifest(std::string_view media_type);

// Parse bytes; errors are io::Error(protocol) and name the field. `media_type` is the Content-Type, which decides when
// the document itself has none. Schema 1 manifests are refused by name.
Manifest parse_manifest(std::string_view json, std::string_view media_type);
Index parse_index(std::string_view json, std::string_view media_type);

// The exact bytes to push: keys in the order of the specification, no spaces.
std::string serialize(const Manifest& manifest);
std::string serialize(const Index& index);

// The entry for `platform`: exact match first, then the variant fall-back of containerd's platform matcher (arm/v7
// accepts v6, v5; arm64 is v8; amd64 prefers a missing variant). Throws io::Error(not_found) listing what there is.
const Descriptor& choose(const Index& index, const Platform& platform);

}  // namespace kiln::oci
