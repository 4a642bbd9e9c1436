// Images as files: the OCI layout (image-spec image-layout.md) as a directory or as a tar of it, and docker-archive
// (what `docker save` writes and `docker load` reads). Plain functions for the waiting pool; a half-written output is
// removed again. Errors: io::Error(filesystem) naming the path.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "oci/image/reference.hpp"
#include "oci/output/image.hpp"

namespace kiln::oci {

inline constexpr std::string_view oci_layout_text = R"({"imageLayoutVersion":"1.0.0"})";  // of the file oci-layout
inline constexpr const char* ref_name_annotation = "org.opencontainers.image.ref.name";   // of an entry of index.json

// The entry of index.json for an image, without a name.
Descriptor descriptor_of(const Image& image);

// Writes oci-layout, index.json (one manifest; `names` as org.opencontainers.image.ref.name annotations, none when empty)
// and blobs/sha256. An index.json that is there is started afresh, as Kaniko does; other blobs stay.
void write_oci_layout(const Image& image, const std::string& directory, const std::vector<std::string>& names);
void write_oci_archive(const Image& image, const std::string& path, const std::vector<std::string>& names);
// manifest.json with one entry, RepoTags = names in familiar form; layers as they are (gzip) under <hex>.tar.gz.
void write_docker_archive(const Image& image, const std::string& path, const std::vector<Reference>& names);

}  // namespace kiln::oci
