// Filling a directory of base images ahead of the builds that want them: what Kaniko's warmer does.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "engine/build/request.hpp"
#include "oci/image/reference.hpp"

namespace kiln::engine {

struct WarmImage {
  oci::Reference reference;
  oci::Platform platform;
};

struct WarmRequest {
  std::vector<WarmImage> images;
  std::string directory;                     // an oci::ImageStore; made when missing
  bool force = false;                        // download what is there, too
  std::chrono::seconds ttl{14 * 24 * 3600};  // with `limit`: what was not used for longer goes first
  std::uint64_t limit = 0;                   // bytes that the directory is kept below; 0: nothing is deleted
  RegistrySettings registries;
};

struct WarmResult {
  oci::Digest digest;                       // of the manifest
  std::uint64_t downloaded = 0, there = 0;  // blobs
  std::string error;                        // empty: the image is in the directory
};

// All images at once. What is in the directory already is checked against its digest. The results are in the order of the images;
// an image that cannot be had fails alone. Errors: io::Error(filesystem) for the directory; io::Error(cancelled).
io::Task<std::vector<WarmResult>> warm(io::Runtime& runtime, WarmRequest request);

}  // namespace kiln::engine
