// One connection to a server or a proxy, plain or TLS, with a deadline on every wait.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <asio/ip/tcp.hpp>
#include <asio/ssl/stream.hpp>
#include <asio/steady_timer.hpp>

#include "io/http/tls.hpp"
#include "io/http/url.hpp"
#include "io/loop/runtime.hpp"

namespace kiln::io::http {

// Closes a socket when time is up. Armed and disarmed around each wait. A timer that has already gone off, but whose handler
// has not run yet, cannot be cancelled any more: the handler knows by the round whether it is still meant.
class Deadline {
 public:
  Deadline(const Executor& executor, asio::ip::tcp::socket& socket) : timer_(executor), socket_(socket) {}
  void arm(std::chrono::milliseconds after);
  void disarm();
  bool expired() const noexcept { return expired_; }

 private:
  asio::steady_timer timer_;
  asio::ip::tcp::socket& socket_;
  std::shared_ptr<unsigned> round_ = std::make_shared<unsigned>(0);
  bool expired_ = false;
};

class Connection {
 public:
  // Connects to `url`'s host, or through `proxy` (CONNECT for https). Errors: Error(network) naming host and reason.
  static Task<std::unique_ptr<Connection>> open(Runtime& runtime, TlsContexts& tls, const Url& url, const Trust& trust,
                                                const std::optional<Url>& proxy, const std::string& user_agent,
                                                std::chrono::milliseconds timeout);
  Connection(const Executor& executor, std::string name);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  // Some bytes; 0 at an orderly end. Bytes that were read ahead come first. One reader and one writer at a time.
  Task<std::size_t> read_some(MutableBytes buffer);
  // One line without its end, LF or CRLF. What is read beyond it is kept for the next read. Errors: Error(network) when the
  // connection ends first, Error(protocol) for a line above `longest` bytes.
  Task<std::string> read_line(std::size_t longest);
  Task<void> write(std::span<const asio::const_buffer> buffers, std::chrono::milliseconds idle);
  // Ends reads and writes that are under way.
  void close();

  // The deadline of reads is the caller's business: it spans several of them.
  Deadline& read_deadline() noexcept { return read_deadline_; }

  // Bytes that belong to what comes next.
  void unread(Bytes bytes);
  // False when the server has closed the idle connection or sent something unasked.
  bool idle_and_open();

 private:
  Task<void> connect(std::string host, std::uint16_t port);
  Task<void> tunnel(const Url& url, const Url& proxy, const std::string& user_agent);
  Task<void> handshake(TlsContexts& tls, const Url& url, const Trust& trust);
  Task<std::size_t> read_from_socket(MutableBytes buffer);
  Bytes ahead() const noexcept { return Bytes(ahead_).subspan(ahead_given_); }
  [[noreturn]] void fail(std::string_view doing, const asio::error_code& error);

  std::string name_;  // for messages
  asio::ip::tcp::socket socket_;
  std::optional<asio::ssl::stream<asio::ip::tcp::socket&>> tls_;
  Deadline read_deadline_;
  Deadline write_deadline_;
  std::vector<std::byte> ahead_;  // read, and not given to anybody but for the first `ahead_given_`
  std::size_t ahead_given_ = 0;
};

}  // namespace kiln::io::http
