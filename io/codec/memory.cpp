#include "io/codec/memory.hpp"

#include <algorithm>
#include <cstring>
#include <vector>

#include <fmt/format.h>

#include "io/base/error.hpp"
#include "io/codec/decompress.hpp"

namespace kiln::io {

namespace {

class MemorySource final : public ByteSource {
 public:
  explicit MemorySource(Bytes bytes) : left_(bytes) {}
  std::size_t read(MutableBytes buffer) override {
    const std::size_t count = std::min(buffer.size(), left_.size());
    if (count > 0) std::memcpy(buffer.data(), left_.data(), count);
    left_ = left_.subspan(count);
    return count;
  }

 private:
  Bytes left_;
};

}  // namespace

std::string decompress_text(Bytes bytes, std::size_t limit) {
  MemorySource source(bytes);
  const auto decompressor = make_decompressor(source);
  std::string text;
  std::vector<std::byte> buffer(64U << 10U);
  while (true) {
    const std::size_t count = decompressor->read(buffer);
    if (count == 0) return text;
    if (text.size() + count > limit) throw Error(ErrorKind::integrity, fmt::format("more than {} bytes when decompressed", limit));
    text.append(as_text(Bytes(buffer).first(count)));
  }
}

}  // namespace kiln::io
