// Tar reading through libarchive, as a pull stream for a pool thread.
//
// libarchive parses (ustar, pax, GNU, old base layers); names are taken as raw bytes. It filters nothing, so every path is
// cleaned and checked here: an entry whose path or hard-link target has ".." components is Error(integrity) naming it.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "io/codec/decompress.hpp"
#include "oci/tar/entry.hpp"

struct archive;

namespace kiln::oci {

class TarReader {
 public:
  // Reads an uncompressed tar from `source`, which must outlive the reader.
  explicit TarReader(io::ByteSource& source);
  ~TarReader();
  TarReader(const TarReader&) = delete;
  TarReader& operator=(const TarReader&) = delete;

  // The next entry, or nothing at the end. Content of the entry before that was not read is skipped.
  // Errors: io::Error(integrity) naming the last path; errors of `source` come through unchanged.
  std::optional<TarEntry> next();

  // Content of the current entry: fills some of `buffer`, 0 at the end. Sparse files come with their holes as zeros.
  std::size_t read(io::MutableBytes buffer);

  // The same without a copy: the next run of bytes and where it belongs; what lies between runs is a hole. Valid until
  // the next call. Nothing at the end.
  struct Block {
    io::Bytes bytes;
    std::uint64_t offset = 0;
  };
  std::optional<Block> next_block();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// "./a//b/" -> "a/b"; "" for the root. Throws io::Error(integrity) for "..".
std::string clean_tar_path(std::string_view path);

}  // namespace kiln::oci
