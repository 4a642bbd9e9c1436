// A tar reader for the plain unpacking loop: ustar with pax and GNU long names, straight off an inflater's buffers.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "io/codec/decompress.hpp"

namespace kiln::bench {

struct PlainEntry {
  std::string path;
  std::string link;
  char type = '0';
  std::uint32_t mode = 0;
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
  std::uint64_t size = 0;
  std::int64_t mtime = 0;
};

class PlainTar {
 public:
  explicit PlainTar(io::ByteSource& source);
  // The next entry; nothing at the end. Content that was not read is skipped. Errors: io::Error(integrity).
  std::optional<PlainEntry> next();
  // The next piece of the content of the current entry, empty at its end; valid until the next call.
  io::Bytes content();

 private:
  bool fill();
  bool read_block(char* block);
  std::string read_text(std::uint64_t size);
  void skip_content();
  void apply_pax(const std::string& records);

  io::ByteSource& source_;
  std::vector<std::byte> scratch_;
  io::Bytes rest_;             // of what the source gave last
  std::uint64_t left_ = 0;     // of the current content
  std::uint64_t padding_ = 0;  // behind it
  std::string long_path_;      // for the next entry, as the following
  std::string long_link_;
  std::optional<std::uint64_t> long_size_;
};

}  // namespace kiln::bench
