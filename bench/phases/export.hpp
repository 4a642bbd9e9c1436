// Writing one layer of many files beside what its bytes cost: reading them, ISA-L, and SHA-256 of both sides.
#pragma once

#include <cstdint>
#include <string>

#include "bench/phases/results.hpp"
#include "io/loop/runtime.hpp"

namespace kiln::bench {

struct ExportOptions {
  std::string tree;                     // a directory, which is only read
  std::uint64_t bytes = 3'000'000'000;  // its files, as often as it takes
  unsigned runs = 3;
  std::string work_directory;  // existing and empty: where the layer goes
};

// Alternating runs with files in the page cache. Each cost of a byte is CPU time of one thread that does nothing else; the
// floor is their sum divided by the cores. Errors: io::Error.
io::Task<PhaseResults> measure_export(io::Runtime& runtime, ExportOptions options);

}  // namespace kiln::bench
