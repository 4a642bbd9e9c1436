// Bytes that a test has, as a stream.
#pragma once

#include <algorithm>
#include <string>
#include <utility>

#include "io/codec/decompress.hpp"

namespace kiln::testing {

class TextSource final : public io::ByteSource {
 public:
  explicit TextSource(std::string text) : text_(std::move(text)) {}
  std::size_t read(io::MutableBytes buffer) override {
    const std::size_t count = std::min(buffer.size(), text_.size() - given_);
    std::copy_n(io::as_bytes(text_).begin() + static_cast<std::ptrdiff_t>(given_), count, buffer.begin());
    given_ += count;
    return count;
  }

 private:
  std::string text_;
  std::size_t given_ = 0;
};

}  // namespace kiln::testing
