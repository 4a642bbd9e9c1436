// What the micro-benchmarks have in common: bytes that compress as image layers do, a scratch directory, a runtime.
#pragma once

#include <string>
#include <vector>

#include "io/base/bytes.hpp"
#include "io/loop/runtime.hpp"

namespace kiln::bench {

// Half words out of a small vocabulary, half random: about the ratio of an image's layers (0.6). The same each time.
std::vector<std::byte> sample_bytes(std::size_t size);

// Deleted with what is in it.
class ScratchDirectory {
 public:
  ScratchDirectory();
  ~ScratchDirectory();
  ScratchDirectory(const ScratchDirectory&) = delete;
  ScratchDirectory& operator=(const ScratchDirectory&) = delete;
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

// The runtime that all benchmarks share: threads are not started in what is measured.
io::Runtime& shared_runtime();

}  // namespace kiln::bench
