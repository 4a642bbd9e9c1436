#include "engine/context/get.hpp"

#include <ctime>
#include <vector>

#include <fmt/format.h>

#include "io/base/error.hpp"
#include "io/http/retry.hpp"

namespace kiln::engine {

namespace {

using io::Task;

constexpr std::size_t piece_size = 512U << 10U;

io::ErrorKind kind_of(int status) {
  if (status == 404) return io::ErrorKind::not_found;
  return status == 401 || status == 403 ? io::ErrorKind::denied : io::ErrorKind::context;
}

}  // namespace

io::http::Request get_request(const std::string& url, const std::string& authorization) {
  io::http::Request request;
  request.url = io::http::parse_url(url);
  if (!authorization.empty()) request.headers.set("Authorization", authorization);
  return request;
}

Task<io::http::Response> get(io::http::Client& http, io::http::Request request, std::string what) {
  const auto make_request = [&request] { return request; };
  io::http::Response response = co_await io::http::send_with_retry(http, make_request, {}, what);
  if (response.status() != 200) {
    const std::string place = what.starts_with("http") ? "" : fmt::format(" (at {})", request.url.authority());
    throw io::Error(kind_of(response.status()), fmt::format("{}{}: invalid response status {}", what, place, response.status()));
  }
  co_return response;
}

std::optional<std::int64_t> last_modified(const io::http::Response& response) {
  const auto text = response.headers().get("Last-Modified");
  std::tm parts{};
  if (!text || !strptime(std::string(*text).c_str(), "%a, %d %b %Y %H:%M:%S GMT", &parts)) return std::nullopt;
  return timegm(&parts);
}

Task<std::uint64_t> receive_body(io::Runtime& runtime, io::http::Response& response, OnPiece on_piece) {
  std::vector<std::byte> buffer(piece_size);
  std::uint64_t offset = 0;
  while (true) {
    const std::size_t count = co_await response.read_some(buffer);
    if (count == 0) co_return offset;
    auto pass_on = [&] { on_piece(offset, io::Bytes(buffer).first(count)); };
    co_await io::offload(runtime.waiting(), pass_on);
    offset += count;
  }
}

}  // namespace kiln::engine
