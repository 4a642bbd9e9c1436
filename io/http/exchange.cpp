#include "io/http/exchange.hpp"

#include <array>
#include <vector>

#include <asio/this_coro.hpp>
#include <fmt/format.h>

#include "io/base/error.hpp"
#include "io/loop/task_group.hpp"

namespace kiln::io::http {

namespace {

constexpr std::size_t body_piece = 256U << 10U;

// Sending, as the reader sees it.
struct Sending {
  bool done = false;
  std::exception_ptr error;
};

Task<void> send_body(Connection& connection, Request& request, Counters& counters) {
  std::vector<std::byte> buffer(body_piece);
  std::uint64_t left = request.body->size.value_or(0);
  while (true) {
    const std::size_t count = co_await request.body->read(buffer);
    const auto data = asio::buffer(buffer.data(), count);
    if (request.body->size) {
      if (count > left) throw Error(ErrorKind::internal, "a request body is longer than it said");
      left -= count;
      if (count == 0) break;
      const std::array<asio::const_buffer, 1> buffers = {data};
      co_await connection.write(buffers, request.timeouts.idle);
    } else {
      const std::string size = fmt::format("{:x}\r\n", count);
      const std::array<asio::const_buffer, 3> buffers = {asio::buffer(size), data, asio::buffer("\r\n", 2)};
      co_await connection.write(buffers, request.timeouts.idle);
    }
    counters.sent += count;
    if (count == 0) break;
  }
  if (left != 0) throw Error(ErrorKind::internal, "a request body is shorter than it said");
}

// Sends head and body. An error is kept: the server may have answered before it stopped listening. A body that could not be
// produced ends the connection, for no answer will come.
Task<void> send_all(Connection& connection, Request& request, std::string head, Counters& counters, Sending& sending) {
  try {
    const std::array<asio::const_buffer, 1> buffers = {asio::buffer(head)};
    co_await connection.write(buffers, request.timeouts.idle);
    if (request.body) co_await send_body(connection, request, counters);
    sending.done = true;
  } catch (...) {
    sending.error = std::current_exception();
    if (as_error(sending.error).kind() != ErrorKind::network) connection.close();
  }
  connection.read_deadline().arm(request.timeouts.response);
}

// Reads up to the end of a final head.
Task<ResponseHead> read_head(Connection& connection, bool& anything) {
  std::string text;
  std::vector<std::byte> buffer(16U << 10U);
  while (true) {
    while (const auto end = find_head_end(text)) {
      ResponseHead head = parse_response_head(std::string_view(text).substr(0, *end));
      text.erase(0, *end);
      if (head.status >= 200) {
        if (!text.empty()) connection.unread(as_bytes(text));
        co_return head;
      }
    }
    if (text.size() > longest_head) throw Error(ErrorKind::protocol, "the response's head is too long");
    const std::size_t count = co_await connection.read_some(buffer);
    if (count == 0) throw Error(ErrorKind::network, "the server closed the connection before it answered");
    anything = true;
    text += as_text(Bytes(buffer).first(count));
  }
}

// Methods that may be sent twice (RFC 9110 section 9.2.2).
bool is_idempotent(const std::string& method) { return method != "POST" && method != "PATCH"; }

}  // namespace

Task<Exchange> exchange(Connection& connection, Request& request, const std::string& target, bool reused, Counters& counters,
                        const Executor& executor) {
  const std::string head = format_request_head(request.method, target, request.headers);
  ++counters.requests;
  Sending sending;
  TaskGroup sender(executor);
  sender.spawn(send_all(connection, request, head, counters, sending));

  Exchange result;
  bool anything = false;
  std::exception_ptr error;
  try {
    result.head = co_await read_head(connection, anything);
  } catch (...) {
    error = std::current_exception();
  }
  // A cancelled coroutine may not wait, not even for its children, before its state has been reset.
  const auto state = co_await asio::this_coro::cancellation_state;
  const bool cancelled = state.cancelled() != asio::cancellation_type::none;
  if (cancelled) co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
  sender.cancel();
  try {
    co_await sender.join();
  } catch (...) {
    if (!error) error = std::current_exception();  // cancelled from outside while joining
  }
  connection.read_deadline().disarm();
  if (cancelled) {
    co_await asio::this_coro::reset_cancellation_state(asio::enable_terminal_cancellation());
    throw Error(ErrorKind::cancelled, "cancelled");
  }
  if (!error) {
    result.body_sent = sending.done;
    co_return result;
  }
  const Error reading = as_error(error);
  if (reading.kind() == ErrorKind::cancelled) throw reading;
  // A body that could not be produced is the real reason.
  if (sending.error) {
    const Error cause = as_error(sending.error);
    if (cause.kind() != ErrorKind::network && cause.kind() != ErrorKind::cancelled) throw cause;
  }
  if (reused && !anything && is_idempotent(request.method) && reading.kind() == ErrorKind::network) throw StaleConnection();
  throw reading;
}

}  // namespace kiln::io::http
