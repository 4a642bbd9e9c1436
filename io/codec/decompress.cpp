#include "io/codec/decompress.hpp"

#include <zstd.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <isa-l/igzip_lib.h>

#include "io/base/error.hpp"

namespace kiln::io {

namespace {

constexpr std::size_t input_size = 256U << 10U;

[[noreturn]] void damaged(std::string_view what) {
  throw Error(ErrorKind::integrity, fmt::format("damaged compressed data: {}", what));
}

// Input that is read in large pieces and consumed in small ones.
class InputBuffer {
 public:
  explicit InputBuffer(ByteSource& source) : source_(source), buffer_(input_size) {}

  // Bytes that are there; reads more when none are. Empty at the end.
  Bytes get() {
    if (begin_ == end_ && !ended_) {
      begin_ = 0;
      end_ = source_.read(buffer_);
      ended_ = end_ == 0;
    }
    return Bytes(buffer_).subspan(begin_, end_ - begin_);
  }
  void consume(std::size_t count) { begin_ += count; }

  // Makes at least `count` bytes visible where the input has them.
  Bytes peek(std::size_t count) {
    while (end_ - begin_ < count && !ended_) {
      std::memmove(buffer_.data(), buffer_.data() + begin_, end_ - begin_);
      end_ -= begin_;
      begin_ = 0;
      const std::size_t read = source_.read(MutableBytes(buffer_).subspan(end_));
      end_ += read;
      ended_ = read == 0;
    }
    return Bytes(buffer_).subspan(begin_, end_ - begin_);
  }

 private:
  ByteSource& source_;
  std::vector<std::byte> buffer_;
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
  bool ended_ = false;
};

// Members one after the other; ISA-L checks each one's CRC and size (crc_flag ISAL_GZIP).
class GzipSource final : public ByteSource {
 public:
  explicit GzipSource(ByteSource& source) : input_(source) { start_member(); }

  std::size_t read(MutableBytes buffer) override {
    if (buffer.empty()) return 0;
    while (!ended_) {
      if (state_.block_state == ISAL_BLOCK_FINISH && !next_member()) break;
      const std::size_t produced = inflate(buffer);
      if (produced > 0) return produced;
    }
    return 0;
  }

 private:
  void start_member() {
    isal_inflate_init(&state_);
    state_.crc_flag = ISAL_GZIP;
  }

  // After a member: another one, zero padding, or the end.
  bool next_member() {
    Bytes bytes = input_.get();
    while (!bytes.empty() && bytes.front() == std::byte{0}) {
      const auto rest = std::find_if(bytes.begin(), bytes.end(), [](std::byte b) { return b != std::byte{0}; });
      input_.consume(static_cast<std::size_t>(rest - bytes.begin()));
      bytes = input_.get();
    }
    ended_ = bytes.empty();
    if (ended_) return false;
    if (detect_compression(input_.peek(4)) != Compression::gzip) damaged("bytes after the end of the gzip stream");
    start_member();
    return true;
  }

  std::size_t inflate(MutableBytes buffer) {
    const Bytes bytes = input_.get();
    const bool at_end = bytes.empty();
    // ISA-L takes a pointer to non-const and does not write through it.
    state_.next_in = const_cast<std::uint8_t*>(reinterpret_cast<const std::uint8_t*>(bytes.data()));
    state_.avail_in = static_cast<std::uint32_t>(bytes.size());
    state_.next_out = reinterpret_cast<std::uint8_t*>(buffer.data());
    state_.avail_out = static_cast<std::uint32_t>(std::min<std::size_t>(buffer.size(), 1U << 30U));
    const std::uint32_t room = state_.avail_out;
    const int result = isal_inflate(&state_);
    input_.consume(bytes.size() - state_.avail_in);
    if (result != ISAL_DECOMP_OK) damaged(fmt::format("gzip ({})", result == ISAL_INCORRECT_CHECKSUM ? "checksum" : "syntax"));
    const std::size_t produced = room - state_.avail_out;
    if (produced == 0 && at_end && state_.block_state != ISAL_BLOCK_FINISH) damaged("gzip ends too early");
    return produced;
  }

  InputBuffer input_;
  inflate_state state_{};
  bool ended_ = false;
};

class ZstdSource final : public ByteSource {
 public:
  explicit ZstdSource(ByteSource& source) : input_(source), stream_(ZSTD_createDStream(), ZSTD_freeDStream) {
    if (!stream_) throw std::bad_alloc();
  }

  std::size_t read(MutableBytes buffer) override {
    ZSTD_outBuffer out{buffer.data(), buffer.size(), 0};
    while (out.pos == 0 && out.size > 0) {
      const Bytes bytes = input_.get();
      if (bytes.empty() && between_frames_) return 0;
      ZSTD_inBuffer in{bytes.data(), bytes.size(), 0};
      const std::size_t result = ZSTD_decompressStream(stream_.get(), &out, &in);
      if (ZSTD_isError(result)) damaged(fmt::format("zstd ({})", ZSTD_getErrorName(result)));
      input_.consume(in.pos);
      between_frames_ = result == 0;
      if (bytes.empty() && out.pos == 0) damaged("zstd ends too early");
    }
    return out.pos;
  }

 private:
  InputBuffer input_;
  std::unique_ptr<ZSTD_DStream, std::size_t (*)(ZSTD_DStream*)> stream_;
  bool between_frames_ = true;
};

class PlainSource final : public ByteSource {
 public:
  explicit PlainSource(ByteSource& source) : source_(source) {}
  std::size_t read(MutableBytes buffer) override { return source_.read(buffer); }

 private:
  ByteSource& source_;
};

// Gives back the bytes that were read to find the compression, then the rest.
class Prefixed final : public ByteSource {
 public:
  explicit Prefixed(ByteSource& source) : source_(source) {
    while (size_ < head_.size()) {
      const std::size_t count = source_.read(MutableBytes(head_).subspan(size_));
      if (count == 0) break;
      size_ += count;
    }
  }
  Bytes head() const { return Bytes(head_).first(size_); }

  std::size_t read(MutableBytes buffer) override {
    if (given_ == size_) return source_.read(buffer);
    const std::size_t count = std::min(buffer.size(), size_ - given_);
    std::memcpy(buffer.data(), head_.data() + given_, count);
    given_ += count;
    return count;
  }

 private:
  ByteSource& source_;
  std::array<std::byte, 4> head_{};
  std::size_t size_ = 0;
  std::size_t given_ = 0;
};

class DetectedSource final : public ByteSource {
 public:
  explicit DetectedSource(ByteSource& source)
      : prefixed_(source), inner_(make_decompressor(detect_compression(prefixed_.head()), prefixed_)) {}
  std::size_t read(MutableBytes buffer) override { return inner_->read(buffer); }

 private:
  Prefixed prefixed_;
  std::unique_ptr<ByteSource> inner_;
};

}  // namespace

std::unique_ptr<ByteSource> make_decompressor(Compression compression, ByteSource& input) {
  switch (compression) {
    case Compression::gzip: return std::make_unique<GzipSource>(input);
    case Compression::zstd: return std::make_unique<ZstdSource>(input);
    case Compression::none: break;
  }
  return std::make_unique<PlainSource>(input);
}

std::unique_ptr<ByteSource> make_decompressor(ByteSource& input) { return std::make_unique<DetectedSource>(input); }

}  // namespace kiln::io
