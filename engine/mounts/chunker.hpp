// Where a stream is cut into chunks: by its content, so that what is inserted or removed somewhere changes the chunks there and
// leaves all others as they are.
#pragma once

#include <cstddef>
#include <cstdint>

#include "io/base/bytes.hpp"

namespace kiln::engine {

class Chunker {
 public:
  // Chunks of `average` bytes (a power of two), a quarter of it at least and twice as much at most.
  explicit Chunker(std::size_t average);

  // For a stream of `total` bytes: at most about a thousand chunks, as far as chunks of 8 MiB give that.
  static std::size_t average_for(std::uint64_t total);

  std::size_t largest() const { return average_ * 2; }
  // Bytes of the first chunk of `bytes`, which are largest() many, or all that is left.
  std::size_t cut(io::Bytes bytes) const;

 private:
  std::size_t average_;
  std::uint64_t mask_;
};

}  // namespace kiln::engine
