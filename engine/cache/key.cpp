#include "engine/cache/key.hpp"

#include <array>

namespace kiln::engine {

KeyBuilder::KeyBuilder(std::string_view kind) {
  frame(cache_key_version);
  frame(kind);
}

// Length as eight bytes, then the text.
void KeyBuilder::frame(std::string_view text) {
  std::array<std::byte, 8> length{};
  for (std::size_t i = 0; i < length.size(); ++i) length[i] = static_cast<std::byte>((text.size() >> (8 * i)) & 0xffU);
  hash_.update(length);
  hash_.update(io::as_bytes(text));
}

KeyBuilder& KeyBuilder::field(std::string_view name, std::string_view value) {
  frame(name);
  frame(value);
  return *this;
}

KeyBuilder& KeyBuilder::list(std::string_view name, const std::vector<std::string>& values) {
  number(name, values.size());
  for (const auto& value : values) frame(value);
  return *this;
}

KeyBuilder& KeyBuilder::number(std::string_view name, std::uint64_t value) { return field(name, std::to_string(value)); }

std::string KeyBuilder::finish() { return io::to_hex(hash_.finish()); }

}  // namespace kiln::engine
