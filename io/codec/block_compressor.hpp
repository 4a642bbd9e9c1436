// Compression in blocks of a fixed size, each on its own, so that all cores work on one stream.
//
// The bytes depend on the input, the block size, the level and the library version, and never on the number of cores or
// on timing. gzip: one member for the whole stream (some readers stop after the first), each block a run of deflate
// blocks ended by a full flush, the CRCs combined. zstd: a frame for each block.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "io/base/bytes.hpp"
#include "io/codec/compression.hpp"

namespace kiln::io {

// Level as Kaniko's --compression-level counts it: gzip 1 to 9, zstd 1 to 22; below 1 means the default (1).
struct CompressionSettings {
  Compression compression = Compression::gzip;
  int level = -1;
};

inline constexpr std::size_t compression_block_size = 1U << 20U;

struct CompressedBlock {
  std::vector<std::byte> bytes;
  std::uint32_t crc32 = 0;  // of the input (gzip)
  std::uint64_t input_size = 0;
};

// Compresses one block. Pure: any thread, any order. Every block but the last must be compression_block_size long. `memory`: the
// bytes of a former result, which nobody needs any more: a fresh megabyte for each block would be paged in and zeroed each time.
CompressedBlock compress_block(const CompressionSettings& settings, Bytes block, std::vector<std::byte> memory = {});

// What stands before the first block and after the last one.
class BlockStream {
 public:
  explicit BlockStream(CompressionSettings settings) : settings_(settings) {}

  std::vector<std::byte> header() const;
  void append(const CompressedBlock& block);  // in order: keeps CRC and size
  std::vector<std::byte> trailer() const;

 private:
  CompressionSettings settings_;
  std::uint32_t crc32_ = 0;
  std::uint64_t input_size_ = 0;
};

}  // namespace kiln::io
