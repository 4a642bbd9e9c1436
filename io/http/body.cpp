#include <algorithm>
#include <cstring>
#include <memory>

#include "io/http/client.hpp"

namespace kiln::io::http {

namespace {

struct TextBody {
  std::string text;
  std::size_t given = 0;
};

Task<std::size_t> read_text(std::shared_ptr<TextBody> body, MutableBytes buffer) {
  const std::size_t count = std::min(buffer.size(), body->text.size() - body->given);
  std::memcpy(buffer.data(), body->text.data() + body->given, count);
  body->given += count;
  co_return count;
}

}  // namespace

Body Body::text(std::string text) {
  auto state = std::make_shared<TextBody>(TextBody{std::move(text), 0});
  Body body;
  body.size = state->text.size();
  body.read = [state](MutableBytes buffer) { return read_text(state, buffer); };
  body.rewind = [state] { state->given = 0; };
  return body;
}

}  // namespace kiln::io::http
