// The least that unpacking layers needs: in one loop a core, each layer read, inflated, and its files created with the calls that
// they need. Nothing of the engine is in it but the inflater: no Tree, no rules of layers, no checks, no order of layers.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "bench/phases/image.hpp"

namespace kiln::bench {

struct UnpackCounts {
  std::uint64_t entries = 0;
  std::uint64_t bytes = 0;     // of regular files
  std::uint64_t left_out = 0;  // whiteouts, hard links whose target is not there (yet), and what may not be made here (devices)
};

// Into `directory`, which exists and is empty; `threads` take the layers, the largest first. Files have content, owner, mode and
// time; directories mode and owner. Blocks. Errors: io::Error naming what could not be made.
UnpackCounts unpack_plainly(const std::vector<LayerFile>& layers, const std::string& directory, unsigned threads);

}  // namespace kiln::bench
