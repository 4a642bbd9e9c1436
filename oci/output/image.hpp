// A finished image, ready to be written somewhere: exact bytes of manifest and config, and the blobs of its layers.
#pragma once

#include <string>
#include <vector>

#include "oci/blob/spool.hpp"
#include "oci/image/manifest.hpp"

namespace kiln::oci {

struct Image {
  Manifest manifest;
  std::string manifest_bytes;
  Digest manifest_digest;
  std::string config_bytes;
  Platform platform;
  std::vector<SpoolBlobPtr> layers;  // complete; in the order of the manifest
};

}  // namespace kiln::oci
