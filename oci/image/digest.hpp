// Digests: "sha256:" and 64 lower-case hex digits (OCI image-spec, descriptor.md, Digests).
#pragma once

#include <compare>
#include <string>
#include <string_view>

#include "io/codec/digest.hpp"

namespace kiln::oci {

class Digest {
 public:
  Digest() = default;  // empty: "not known yet"
  static Digest of(io::Bytes bytes);
  static Digest from(const io::Sha256Value& value);
  // Throws io::Error(protocol) for anything but sha256 with 64 lower-case hex digits.
  static Digest parse(std::string_view text);

  bool empty() const noexcept { return text_.empty(); }
  const std::string& text() const noexcept { return text_; }  // sha256:...
  std::string_view hex() const noexcept;                      // after the colon

  friend auto operator<=>(const Digest&, const Digest&) = default;

 private:
  std::string text_;
};

}  // namespace kiln::oci
