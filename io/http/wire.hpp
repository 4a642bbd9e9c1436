// HTTP/1.1 messages as bytes (RFC 9112): plain functions, no sockets.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "io/http/client.hpp"

namespace kiln::io::http {

inline constexpr std::size_t longest_head = 64U << 10U;

struct ResponseHead {
  int minor_version = 1;
  int status = 0;
  Headers headers;
};

// The head in `text`, which ends with the empty line. Errors: Error(protocol).
ResponseHead parse_response_head(std::string_view text);

// Length of the head at the start of `text`, the empty line included; nothing while it is incomplete.
std::optional<std::size_t> find_head_end(std::string_view text);

// The size in a chunk's first line, extensions ignored (RFC 9112 section 7.1). Errors: Error(protocol).
std::uint64_t parse_chunk_size(std::string_view line);

// Request line and header fields. Errors: Error(usage) for control characters in a field.
std::string format_request_head(std::string_view method, std::string_view target, const Headers& headers);

// The value of an Authorization or Proxy-Authorization field for "user:password" (RFC 7617).
std::string basic_login(std::string_view user_and_password);

// How a response body is delimited.
struct BodyFraming {
  enum class Kind { none, length, chunked, until_close } kind = Kind::none;
  std::uint64_t length = 0;
};
// RFC 9112 section 6.3. Errors: Error(protocol) for contradicting lengths.
BodyFraming framing_of(std::string_view request_method, const ResponseHead& head);

bool keeps_alive(const ResponseHead& head);

}  // namespace kiln::io::http
