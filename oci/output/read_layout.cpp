#include "oci/output/read_layout.hpp"

#include <vector>

#include <fmt/format.h>

#include "io/base/error.hpp"
#include "io/file/read_file.hpp"

namespace kiln::oci {

std::string read_layout_file(const std::string& path) {
  auto bytes = io::read_file(path);
  if (!bytes) throw io::Error(io::ErrorKind::filesystem, fmt::format("'{}' cannot be read", path));
  return std::move(*bytes);
}

Descriptor find_in_layout(const std::string& directory, std::string_view name) {
  const Index index = parse_index(read_layout_file(directory + "/index.json"), media_type::oci_index);
  std::vector<std::string> names;
  for (const auto& entry : index.manifests) {
    for (const char* key : {"org.opencontainers.image.ref.name", "io.containerd.image.name"}) {
      const auto given = entry.annotations.find(key);
      if (given == entry.annotations.end()) continue;
      if (given->second == name) return entry;
      names.push_back(given->second);
    }
  }
  if (index.manifests.size() == 1) return index.manifests.front();
  throw io::Error(io::ErrorKind::not_found, fmt::format("'{}' has no image named {}; it has {} images: {}", directory, name,
                                                        index.manifests.size(), fmt::join(names, ", ")));
}

std::string layout_blob_path(const std::string& directory, const Digest& digest) {
  return fmt::format("{}/blobs/sha256/{}", directory, digest.hex());
}

std::string read_layout_blob(const std::string& directory, const Digest& digest) {
  const std::string path = layout_blob_path(directory, digest);
  std::string bytes = read_layout_file(path);
  if (Digest::of(io::as_bytes(bytes)) != digest) {
    throw io::Error(io::ErrorKind::integrity, fmt::format("'{}' does not have the digest in its name", path));
  }
  return bytes;
}

}  // namespace kiln::oci
