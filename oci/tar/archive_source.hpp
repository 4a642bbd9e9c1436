// Is a file a tar, whatever it is compressed by? Then its uncompressed bytes.
#pragma once

#include <memory>

#include "io/codec/decompress.hpp"

namespace kiln::oci {

// The uncompressed bytes of the tar in `file` (borrowed; read from its start): plain, or through libarchive's filters for
// gzip, bzip2, xz and zstd. Null when it is no tar: what decides is the first header, not the name (as Docker's ADD).
std::unique_ptr<io::ByteSource> open_archive(int file);

}  // namespace kiln::oci
