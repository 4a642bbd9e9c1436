// Reading an OCI layout directory (image-spec image-layout.md). Plain functions for the waiting pool.
#pragma once

#include <string>
#include <string_view>

#include "oci/image/manifest.hpp"

namespace kiln::oci {

// The entry of index.json that is named `name` (org.opencontainers.image.ref.name, or containerd's io.containerd.image.name), else
// the only one there is, as Docker's client looks for it. Errors: io::Error(not_found) naming what there is; filesystem; protocol.
Descriptor find_in_layout(const std::string& directory, std::string_view name);

// index.json and the like. Errors: io::Error(filesystem) naming the path.
std::string read_layout_file(const std::string& path);

std::string layout_blob_path(const std::string& directory, const Digest& digest);

// A manifest, an index or a config: all of its bytes, with the digest checked. Errors: io::Error(filesystem or integrity).
std::string read_layout_blob(const std::string& directory, const Digest& digest);

}  // namespace kiln::oci
