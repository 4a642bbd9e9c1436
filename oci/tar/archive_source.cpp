#include "oci/tar/archive_source.hpp"

#include <archive.h>
#include <archive_entry.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "io/base/error.hpp"

namespace kiln::oci {

namespace {

constexpr std::size_t block_size = 512;

// libarchive's "raw" format: one entry, the bytes behind the compression filters.
class FilteredSource final : public io::ByteSource {
 public:
  explicit FilteredSource(int file) {
    archive_read_support_filter_gzip(archive_);
    archive_read_support_filter_bzip2(archive_);
    archive_read_support_filter_xz(archive_);
    archive_read_support_filter_zstd(archive_);
    archive_read_support_format_raw(archive_);
    archive_read_support_format_empty(archive_);
    lseek(file, 0, SEEK_SET);
    struct archive_entry* entry = nullptr;
    if (archive_read_open_fd(archive_, file, 256U << 10U) != ARCHIVE_OK ||
        archive_read_next_header(archive_, &entry) != ARCHIVE_OK) {
      ended_ = true;
    }
  }
  ~FilteredSource() override { archive_read_free(archive_); }
  FilteredSource(const FilteredSource&) = delete;
  FilteredSource& operator=(const FilteredSource&) = delete;

  // The first header, without consuming it.
  io::Bytes peek() {
    while (!ended_ && head_.size() < block_size) {
      std::array<std::byte, block_size> buffer;
      const std::size_t count = read_more(io::MutableBytes(buffer).first(block_size - head_.size()));
      head_.insert(head_.end(), buffer.begin(), buffer.begin() + static_cast<std::ptrdiff_t>(count));
    }
    return head_;
  }

  std::size_t read(io::MutableBytes buffer) override {
    if (given_ == head_.size()) return read_more(buffer);
    const std::size_t count = std::min(buffer.size(), head_.size() - given_);
    std::memcpy(buffer.data(), head_.data() + given_, count);
    given_ += count;
    return count;
  }

 private:
  std::size_t read_more(io::MutableBytes buffer) {
    if (ended_) return 0;
    const la_ssize_t count = archive_read_data(archive_, buffer.data(), buffer.size());
    if (count < 0) {
      throw io::Error(io::ErrorKind::integrity, fmt::format("damaged compressed data: {}", archive_error_string(archive_)));
    }
    ended_ = count == 0;
    return static_cast<std::size_t>(count);
  }

  struct archive* archive_ = archive_read_new();
  std::vector<std::byte> head_;
  std::size_t given_ = 0;
  bool ended_ = false;
};

// A tar header's checksum (POSIX ustar; holds for v7 and GNU too).
bool is_tar_header(io::Bytes block) {
  if (block.size() < block_size) return false;
  unsigned sum = 0;
  for (std::size_t i = 0; i < block_size; ++i) sum += i >= 148 && i < 156 ? ' ' : std::to_integer<unsigned>(block[i]);
  const std::string field(io::as_text(block.subspan(148, 8)));
  const auto digits = field.find_first_of("01234567");
  return digits != std::string::npos && std::strtoul(field.c_str() + digits, nullptr, 8) == sum;
}

}  // namespace

std::unique_ptr<io::ByteSource> open_archive(int file) {
  auto source = std::make_unique<FilteredSource>(file);
  try {
    if (!is_tar_header(source->peek())) return nullptr;
  } catch (const io::Error&) {  // looked compressed and is not: a plain file to Docker
    return nullptr;
  }
  return source;
}

}  // namespace kiln::oci
