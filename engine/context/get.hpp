// Getting a file from a server.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "io/base/bytes.hpp"
#include "io/http/client.hpp"
#include "io/loop/runtime.hpp"

namespace kiln::engine {

// `authorization`: the header's value, for the first server only; empty: none.
io::http::Request get_request(const std::string& url, const std::string& authorization);

// Sends it, redirects followed. `what` is what it is for, as the user wrote it.
// Errors: io::Error(network); for an answer that is not 200, with its status: not_found (404), denied (401, 403), else context.
io::Task<io::http::Response> get(io::http::Client& http, io::http::Request request, std::string what);

// Seconds: what Last-Modified says (RFC 9110 section 8.8.2); nothing when it says nothing that is a time.
std::optional<std::int64_t> last_modified(const io::http::Response& response);

// Gives the body to `on_piece` in pieces and in order, on the waiting pool. Gives its size in bytes.
using OnPiece = std::function<void(std::uint64_t offset, io::Bytes piece)>;
io::Task<std::uint64_t> receive_body(io::Runtime& runtime, io::http::Response& response, OnPiece on_piece);

}  // namespace kiln::engine
