// Decompression as a pull stream, for functions that run on a pool thread.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>

#include "io/base/bytes.hpp"
#include "io/codec/compression.hpp"

namespace kiln::io {

// A blocking stream of bytes.
class ByteSource {
 public:
  virtual ~ByteSource() = default;
  // Fills some of the buffer and gives the number of bytes, 0 at the end.
  virtual std::size_t read(MutableBytes buffer) = 0;
  // The next bytes, empty at the end: in `scratch`, or where the source holds them anyway. Valid until the next call.
  virtual Bytes next(MutableBytes scratch) { return scratch.first(read(scratch)); }
};

// Bytes of `input` decompressed: gzip with any number of members (RFC 1952 section 2.2), zstd with any number of frames
// (RFC 8878), or as they are. `input` must outlive the result. read() throws Error(integrity) for damaged or
// truncated input, checksums included; trailing zero bytes after the last gzip member are allowed, as tar pads.
std::unique_ptr<ByteSource> make_decompressor(Compression compression, ByteSource& input);

// The same with the compression found by the first bytes.
std::unique_ptr<ByteSource> make_decompressor(ByteSource& input);

}  // namespace kiln::io
