// SHA-256 as a stream, and XXH3 for change detection.
//
// SHA-256 names bytes that leave the process. XXH3-128 only tells whether local bytes changed; it never leaves.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "io/base/bytes.hpp"

namespace kiln::io {

// 32 raw bytes.
using Sha256Value = std::array<std::byte, 32>;

class Sha256 {
 public:
  Sha256();
  Sha256(Sha256&&) noexcept;
  Sha256& operator=(Sha256&&) noexcept;
  ~Sha256();

  void update(Bytes bytes);
  Sha256Value finish();  // once

 private:
  struct Context;
  std::unique_ptr<Context> context_;
};

Sha256Value sha256(Bytes bytes);
std::string to_hex(Bytes bytes);  // lower case

using Xxh128Value = std::array<std::byte, 16>;

class Xxh128 {
 public:
  Xxh128();
  Xxh128(Xxh128&&) noexcept;
  Xxh128& operator=(Xxh128&&) noexcept;
  ~Xxh128();

  void update(Bytes bytes);
  Xxh128Value finish() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace kiln::io
