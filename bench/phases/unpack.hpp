// The unpacking of an image's layers beside a loop that does nothing else (see plain_unpack.hpp).
#pragma once

#include <string>

#include "bench/phases/image.hpp"
#include "bench/phases/results.hpp"
#include "io/loop/runtime.hpp"

namespace kiln::bench {

struct UnpackOptions {
  std::string image;  // an OCI layout, see read_image(); empty: `tree`, packed first
  std::string tree;   // a directory, which is only read
  unsigned runs = 3;
  std::string work_directory;  // existing and empty; on the file system that is to be measured; everything is left in it
};

// Alternating runs, each into an empty directory, with the layers out of the page cache. Errors: io::Error.
io::Task<PhaseResults> measure_unpack(io::Runtime& runtime, UnpackOptions options);

}  // namespace kiln::bench
