// Layers on disk, for benchmarks that unpack them.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "io/loop/runtime.hpp"
#include "oci/image/digest.hpp"

namespace kiln::bench {

struct LayerFile {
  std::string path;
  oci::Digest digest;
  std::uint64_t size = 0;
};

struct PackedImage {
  std::string from;
  std::vector<LayerFile> layers;  // lowest first
  std::uint64_t size() const;
};

// "DIRECTORY" or "DIRECTORY:TAG": an OCI layout; of an index, the image for this machine. Errors: io::Error naming what is wrong.
PackedImage read_image(const std::string& layout);

// What is below `directory`, as several gzip layers of about the same size in `work_directory`, which is left out.
io::Task<PackedImage> pack_directory(io::Runtime& runtime, std::string directory, std::string work_directory);

}  // namespace kiln::bench
