#include "io/codec/block_compressor.hpp"

#include <zlib.h>
#include <zstd.h>

#include <algorithm>
#include <array>
#include <memory>
#include <utility>

#include <fmt/format.h>
#include <isa-l/crc.h>
#include <isa-l/igzip_lib.h>

#include "io/base/error.hpp"
#include "io/codec/isal_stream.hpp"

namespace kiln::io {

namespace {

[[noreturn]] void failed(std::string_view what) { throw Error(ErrorKind::internal, fmt::format("compressing a block: {}", what)); }

std::uint8_t* mutable_pointer(Bytes bytes) {
  return const_cast<std::uint8_t*>(reinterpret_cast<const std::uint8_t*>(bytes.data()));
}

// Deflate blocks of `block`, byte-aligned by a full flush, at an ISA-L level (0 to 3).
std::vector<std::byte> deflate_fast(Bytes block, std::uint32_t level, std::vector<std::byte> out) {
  static constexpr std::array<std::uint32_t, 4> buffer_sizes = {ISAL_DEF_LVL0_DEFAULT, ISAL_DEF_LVL1_DEFAULT, ISAL_DEF_LVL2_DEFAULT,
                                                                ISAL_DEF_LVL3_DEFAULT};
  thread_local std::array<std::vector<std::uint8_t>, 4> buffers;
  thread_local const IsalStream memory = make_isal_stream();
  auto& buffer = buffers[level];
  buffer.resize(buffer_sizes[level]);

  out.resize(block.size() + block.size() / 8 + 1024);
  isal_zstream& stream = *memory;
  isal_deflate_init(&stream);
  stream.level = level;
  stream.level_buf = buffer.data();
  stream.level_buf_size = static_cast<std::uint32_t>(buffer.size());
  stream.gzip_flag = IGZIP_DEFLATE;
  stream.flush = FULL_FLUSH;
  stream.end_of_stream = 0;
  stream.next_in = mutable_pointer(block);
  stream.avail_in = static_cast<std::uint32_t>(block.size());
  stream.next_out = reinterpret_cast<std::uint8_t*>(out.data());
  stream.avail_out = static_cast<std::uint32_t>(out.size());
  if (isal_deflate(&stream) != COMP_OK) failed("ISA-L refused the input");
  if (stream.avail_in != 0 || stream.avail_out == 0) failed("ISA-L's output did not fit");
  out.resize(out.size() - stream.avail_out);
  return out;
}

// The same by zlib, for users who ask for small and not for fast (levels 6 to 9).
std::vector<std::byte> deflate_small(Bytes block, int level, std::vector<std::byte> out) {
  z_stream stream{};
  if (deflateInit2(&stream, level, Z_DEFLATED, -MAX_WBITS, 9, Z_DEFAULT_STRATEGY) != Z_OK) failed("zlib refused the level");
  const std::unique_ptr<z_stream, int (*)(z_stream*)> owner(&stream, deflateEnd);
  out.resize(deflateBound(&stream, block.size()) + 64);
  stream.next_in = mutable_pointer(block);
  stream.avail_in = static_cast<unsigned>(block.size());
  stream.next_out = reinterpret_cast<std::uint8_t*>(out.data());
  stream.avail_out = static_cast<unsigned>(out.size());
  if (deflate(&stream, Z_FULL_FLUSH) != Z_OK || stream.avail_in != 0 || stream.avail_out == 0) failed("zlib's output did not fit");
  out.resize(out.size() - stream.avail_out);
  return out;
}

std::vector<std::byte> compress_zstd(Bytes block, int level, std::vector<std::byte> out) {
  thread_local const std::unique_ptr<ZSTD_CCtx, std::size_t (*)(ZSTD_CCtx*)> context(ZSTD_createCCtx(), ZSTD_freeCCtx);
  if (!context) throw std::bad_alloc();
  const auto set = [&](ZSTD_cParameter parameter, int value) {
    const std::size_t result = ZSTD_CCtx_setParameter(context.get(), parameter, value);
    if (ZSTD_isError(result)) failed(ZSTD_getErrorName(result));
  };
  set(ZSTD_c_compressionLevel, level);
  set(ZSTD_c_checksumFlag, 1);
  out.resize(ZSTD_compressBound(block.size()));
  const std::size_t size = ZSTD_compress2(context.get(), out.data(), out.size(), block.data(), block.size());
  if (ZSTD_isError(size)) failed(ZSTD_getErrorName(size));
  out.resize(size);
  return out;
}

std::vector<std::byte> compress_gzip(Bytes block, int level, std::vector<std::byte> out) {
  if (level >= 6) return deflate_small(block, std::min(level, 9), std::move(out));
  return deflate_fast(block, level <= 1 ? 1 : level <= 3 ? 2 : 3, std::move(out));
}

void append_little_endian(std::vector<std::byte>& bytes, std::uint32_t value) {
  for (unsigned shift = 0; shift < 32; shift += 8) bytes.push_back(static_cast<std::byte>(value >> shift & 0xffU));
}

}  // namespace

CompressedBlock compress_block(const CompressionSettings& settings, Bytes block, std::vector<std::byte> memory) {
  CompressedBlock result;
  result.input_size = block.size();
  const int level = std::max(settings.level, 1);
  switch (settings.compression) {
    case Compression::gzip:
      result.crc32 = crc32_gzip_refl(0, mutable_pointer(block), block.size());
      if (!block.empty()) result.bytes = compress_gzip(block, level, std::move(memory));
      break;
    case Compression::zstd:
      if (!block.empty()) result.bytes = compress_zstd(block, level, std::move(memory));
      break;
    case Compression::none: result.bytes.assign(block.begin(), block.end()); break;
  }
  return result;
}

// RFC 1952 section 2.3: deflate, no name, time 0, operating system unknown (255).
std::vector<std::byte> BlockStream::header() const {
  if (settings_.compression != Compression::gzip) return {};
  constexpr std::array<unsigned char, 10> bytes = {0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255};
  const auto view = std::as_bytes(std::span(bytes));
  return {view.begin(), view.end()};
}

void BlockStream::append(const CompressedBlock& block) {
  crc32_ = static_cast<std::uint32_t>(crc32_combine(crc32_, block.crc32, static_cast<z_off_t>(block.input_size)));
  input_size_ += block.input_size;
}

// An empty final block with fixed codes (RFC 1951 section 3.2.3), the CRC and the size modulo 2^32.
std::vector<std::byte> BlockStream::trailer() const {
  if (settings_.compression == Compression::zstd && input_size_ == 0) return compress_zstd({}, 1, {});
  if (settings_.compression != Compression::gzip) return {};
  std::vector<std::byte> bytes = {std::byte{0x03}, std::byte{0x00}};
  append_little_endian(bytes, crc32_);
  append_little_endian(bytes, static_cast<std::uint32_t>(input_size_));
  return bytes;
}

}  // namespace kiln::io
