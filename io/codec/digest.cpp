#include "io/codec/digest.hpp"

#include <openssl/evp.h>
#define XXH_STATIC_LINKING_ONLY
#include <xxhash.h>

#include <cstring>
#include <new>

#include "io/base/error.hpp"

namespace kiln::io {

namespace {

// Fetched once: EVP_sha256() would take locks for every digest (openssl/openssl#17064).
const EVP_MD* sha256_method() {
  static EVP_MD* const method = EVP_MD_fetch(nullptr, "SHA256", nullptr);
  if (!method) throw Error(ErrorKind::internal, "OpenSSL offers no SHA-256");
  return method;
}

}  // namespace

struct Sha256::Context {
  EVP_MD_CTX* context = EVP_MD_CTX_new();
  Context() {
    if (!context || EVP_DigestInit_ex2(context, sha256_method(), nullptr) != 1) throw std::bad_alloc();
  }
  ~Context() { EVP_MD_CTX_free(context); }
  Context(const Context&) = delete;
  Context& operator=(const Context&) = delete;
};

Sha256::Sha256() : context_(std::make_unique<Context>()) {}
Sha256::Sha256(Sha256&&) noexcept = default;
Sha256& Sha256::operator=(Sha256&&) noexcept = default;
Sha256::~Sha256() = default;

void Sha256::update(Bytes bytes) {
  if (EVP_DigestUpdate(context_->context, bytes.data(), bytes.size()) != 1) {
    throw Error(ErrorKind::internal, "SHA-256 failed");
  }
}

Sha256Value Sha256::finish() {
  Sha256Value value;
  unsigned size = 0;
  auto* out = reinterpret_cast<unsigned char*>(value.data());
  if (EVP_DigestFinal_ex(context_->context, out, &size) != 1 || size != value.size()) {
    throw Error(ErrorKind::internal, "SHA-256 failed");
  }
  return value;
}

Sha256Value sha256(Bytes bytes) {
  Sha256 hash;
  hash.update(bytes);
  return hash.finish();
}

std::string to_hex(Bytes bytes) {
  constexpr char digits[] = "0123456789abcdef";
  std::string text;
  text.reserve(bytes.size() * 2);
  for (const std::byte byte : bytes) {
    text += digits[std::to_integer<unsigned>(byte) >> 4U];
    text += digits[std::to_integer<unsigned>(byte) & 15U];
  }
  return text;
}

struct Xxh128::State {
  XXH3_state_t* state = XXH3_createState();
  State() {
    if (!state) throw std::bad_alloc();
    XXH3_128bits_reset(state);
  }
  ~State() { XXH3_freeState(state); }
  State(const State&) = delete;
  State& operator=(const State&) = delete;
};

Xxh128::Xxh128() : state_(std::make_unique<State>()) {}
Xxh128::Xxh128(Xxh128&&) noexcept = default;
Xxh128& Xxh128::operator=(Xxh128&&) noexcept = default;
Xxh128::~Xxh128() = default;

void Xxh128::update(Bytes bytes) { XXH3_128bits_update(state_->state, bytes.data(), bytes.size()); }

Xxh128Value Xxh128::finish() const {
  XXH128_canonical_t canonical;
  XXH128_canonicalFromHash(&canonical, XXH3_128bits_digest(state_->state));
  Xxh128Value value;
  std::memcpy(value.data(), canonical.digest, value.size());
  return value;
}

}  // namespace kiln::io
