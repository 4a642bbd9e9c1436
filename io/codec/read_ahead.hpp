// A ByteSource that works ahead on a thread of its own.
#pragma once

#include <cstddef>
#include <memory>

#include "io/codec/decompress.hpp"

namespace kiln::io {

// Reads `input` on a thread of its own, at most `buffers` buffers of `buffer_size` bytes ahead, so that what produces the
// bytes (inflating) and what uses them (writing files) overlap. Errors of `input` come out of read() in their place.
// The destructor ends the thread after the read it is in.
std::unique_ptr<ByteSource> make_read_ahead(std::unique_ptr<ByteSource> input, std::size_t buffer_size, unsigned buffers);

}  // namespace kiln::io
