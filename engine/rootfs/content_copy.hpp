// Bytes of a Content or of a tar entry into a file.
#pragma once

#include <string>

#include "engine/tree/content.hpp"
#include "io/base/bytes.hpp"
#include "oci/tar/reader.hpp"

namespace kiln::engine {

// Writes all of `bytes` at `offset`. Errors name `path`.
void write_at(int file, std::uint64_t offset, io::Bytes bytes, const std::string& path);

// Writes the content of the archive's current entry, of `size` bytes with its holes. Errors name `path`.
void write_entry(oci::TarReader& archive, int file, std::uint64_t size, const std::string& path);

// Copies `size` bytes into `file`: by reflink or copy_file_range where the file systems allow it. Contents in layers must
// have been materialised. Errors: io::Error(filesystem) naming `path`.
void copy_content(const Content& content, std::uint64_t size, int file, const std::string& path);

// The whole content as text, at most `limit` bytes (passwd, group). Nothing for what cannot be read like this.
std::string read_small(const Content& content, std::size_t limit);

}  // namespace kiln::engine
