#include "oci/image/digest.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "io/base/error.hpp"

namespace kiln::oci {

namespace {
constexpr std::string_view prefix = "sha256:";
}

Digest Digest::of(io::Bytes bytes) { return from(io::sha256(bytes)); }

Digest Digest::from(const io::Sha256Value& value) {
  Digest digest;
  digest.text_ = std::string(prefix) + io::to_hex(value);
  return digest;
}

Digest Digest::parse(std::string_view text) {
  const bool hex = text.starts_with(prefix) && text.size() == prefix.size() + 64 &&
                   std::all_of(text.begin() + prefix.size(), text.end(),
                               [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
  if (!hex) throw io::Error(io::ErrorKind::protocol, fmt::format("'{}' is not a sha256 digest", text));
  Digest digest;
  digest.text_ = text;
  return digest;
}

std::string_view Digest::hex() const noexcept {
  return empty() ? std::string_view() : std::string_view(text_).substr(prefix.size());
}

}  // namespace kiln::oci
