#include "io/http/connection.hpp"

#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cstring>

#include <asio/connect.hpp>
#include <asio/redirect_error.hpp>
#include <asio/write.hpp>
#include <fmt/format.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "io/base/error.hpp"
#include "io/http/wire.hpp"

namespace kiln::io::http {

namespace {

using asio::ip::tcp;

bool is_address(const std::string& host) {
  asio::error_code error;
  asio::ip::make_address(host, error);
  return !error;
}

}  // namespace

void Deadline::arm(std::chrono::milliseconds after) {
  timer_.expires_after(after);
  const unsigned round = ++*round_;
  timer_.async_wait([this, round, alive = std::weak_ptr<unsigned>(round_)](asio::error_code error) {
    const auto current = alive.lock();
    if (error || !current || *current != round) return;
    expired_ = true;
    asio::error_code ignored;
    socket_.close(ignored);
  });
}

void Deadline::disarm() {
  ++*round_;
  timer_.cancel();
}

Connection::Connection(const Executor& executor, std::string name)
    : name_(std::move(name)), socket_(executor), read_deadline_(executor, socket_), write_deadline_(executor, socket_) {}

Connection::~Connection() { close(); }

void Connection::close() {
  asio::error_code ignored;
  socket_.close(ignored);
}

Task<std::unique_ptr<Connection>> Connection::open(Runtime& runtime, TlsContexts& tls, const Url& url, const Trust& trust,
                                                   const std::optional<Url>& proxy, const std::string& user_agent,
                                                   std::chrono::milliseconds timeout) {
  std::string name = url.authority();
  if (proxy) name += fmt::format(" through proxy {}", proxy->authority());
  auto connection = std::make_unique<Connection>(runtime.executor(), std::move(name));
  connection->read_deadline_.arm(timeout);
  co_await connection->connect(proxy ? proxy->host : url.host, proxy ? proxy->port : url.port);
  if (url.scheme == "https") {
    if (proxy) co_await connection->tunnel(url, *proxy, user_agent);
    co_await connection->handshake(tls, url, trust);
  }
  connection->read_deadline_.disarm();
  co_return connection;
}

void Connection::fail(std::string_view doing, const asio::error_code& error) {
  if (read_deadline_.expired() || write_deadline_.expired()) {
    throw Error(ErrorKind::network, fmt::format("{} {}: timed out", doing, name_));
  }
  throw Error(ErrorKind::network, fmt::format("{} {}: {}", doing, name_, error.message()));
}

Task<void> Connection::connect(std::string host, std::uint16_t port) {
  tcp::resolver resolver(socket_.get_executor());
  asio::error_code error;
  const auto endpoints =
      co_await resolver.async_resolve(host, std::to_string(port), asio::redirect_error(asio::use_awaitable, error));
  co_await throw_if_cancelled();
  // Closing the socket does not end a look-up, and connecting would open the socket again.
  if (error || read_deadline_.expired()) fail("finding the address of", error);
  co_await asio::async_connect(socket_, endpoints, asio::redirect_error(asio::use_awaitable, error));
  co_await throw_if_cancelled();
  if (error) fail("connecting to", error);
  socket_.set_option(tcp::no_delay(true), error);
}

// RFC 9110 section 9.3.6.
Task<void> Connection::tunnel(const Url& url, const Url& proxy, const std::string& user_agent) {
  const std::string host = url.host.find(':') == std::string::npos ? url.host : "[" + url.host + "]";
  const std::string target = fmt::format("{}:{}", host, url.port);
  Headers headers;
  headers.set("Host", target);
  headers.set("User-Agent", user_agent);
  if (!proxy.user_info.empty()) headers.set("Proxy-Authorization", basic_login(percent_decode(proxy.user_info)));
  const std::string head = format_request_head("CONNECT", target, headers);
  asio::error_code error;
  co_await asio::async_write(socket_, asio::buffer(head), asio::redirect_error(asio::use_awaitable, error));
  co_await throw_if_cancelled();
  if (error) fail("asking the proxy for", error);
  std::string answer;
  while (!find_head_end(answer)) {
    std::array<char, 1> byte;  // what follows the head is TLS and not ours to take
    co_await socket_.async_read_some(asio::buffer(byte), asio::redirect_error(asio::use_awaitable, error));
    co_await throw_if_cancelled();
    if (error) fail("asking the proxy for", error);
    answer += byte[0];
    if (answer.size() > longest_head) throw Error(ErrorKind::protocol, "the proxy's answer is too long");
  }
  const int status = parse_response_head(answer).status;
  if (status / 100 != 2) {
    throw Error(ErrorKind::network, fmt::format("connecting to {}: the proxy answered {}", name_, status));
  }
}

Task<void> Connection::handshake(TlsContexts& tls, const Url& url, const Trust& trust) {
  tls_.emplace(socket_, tls.context_for(url, trust));
  SSL* native = tls_->native_handle();
  const bool verify = tls.verifies(url, trust);
  if (is_address(url.host)) {
    if (verify) X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(native), url.host.c_str());
  } else {
    SSL_set_tlsext_host_name(native, url.host.c_str());
    if (verify) SSL_set1_host(native, url.host.c_str());
  }
  asio::error_code error;
  co_await tls_->async_handshake(asio::ssl::stream_base::client, asio::redirect_error(asio::use_awaitable, error));
  co_await throw_if_cancelled();
  if (!error) co_return;
  const long result = SSL_get_verify_result(native);
  if (verify && result != X509_V_OK) {
    throw Error(ErrorKind::denied,
                fmt::format("TLS with {}: the certificate cannot be trusted: {}. Add its CA with --registry-certificate, or "
                            "allow it with --skip-tls-verify-registry",
                            name_, X509_verify_cert_error_string(result)));
  }
  fail("TLS with", error);
}

Task<std::size_t> Connection::read_some(MutableBytes buffer) {
  if (!ahead().empty()) {
    const std::size_t count = std::min(buffer.size(), ahead().size());
    std::memcpy(buffer.data(), ahead().data(), count);
    ahead_given_ += count;
    co_return count;
  }
  const std::size_t count = co_await read_from_socket(buffer);
  co_return count;
}

Task<std::string> Connection::read_line(std::size_t longest) {
  constexpr std::size_t piece = 16U << 10U;
  while (true) {
    const std::string_view text = as_text(ahead());
    const auto newline = text.find('\n');
    if (newline != std::string_view::npos) {
      std::string line(text.substr(0, newline));
      if (line.ends_with('\r')) line.pop_back();
      ahead_given_ += newline + 1;
      co_return line;
    }
    if (text.size() > longest) throw Error(ErrorKind::protocol, fmt::format("reading from {}: a line is too long", name_));
    ahead_.erase(ahead_.begin(), ahead_.begin() + static_cast<std::ptrdiff_t>(ahead_given_));
    ahead_given_ = 0;
    const std::size_t kept = ahead_.size();
    ahead_.resize(kept + piece);
    std::size_t count = 0;
    try {
      count = co_await read_from_socket(MutableBytes(ahead_).subspan(kept));
    } catch (...) {
      ahead_.resize(kept);
      throw;
    }
    ahead_.resize(kept + count);
    if (count == 0) throw Error(ErrorKind::network, fmt::format("reading from {}: the body ended too early", name_));
  }
}

Task<std::size_t> Connection::read_from_socket(MutableBytes buffer) {
  asio::error_code error;
  std::size_t count = 0;
  const auto target = asio::buffer(buffer.data(), buffer.size());
  if (tls_) {
    count = co_await tls_->async_read_some(target, asio::redirect_error(asio::use_awaitable, error));
  } else {
    count = co_await socket_.async_read_some(target, asio::redirect_error(asio::use_awaitable, error));
  }
  if (error == asio::error::eof) co_return 0;
  if (error) {
    co_await throw_if_cancelled();
    fail("reading from", error);
  }
  co_return count;
}

Task<void> Connection::write(std::span<const asio::const_buffer> buffers, std::chrono::milliseconds idle) {
  asio::error_code error;
  write_deadline_.arm(idle);
  const std::vector<asio::const_buffer> sequence(buffers.begin(), buffers.end());
  if (tls_) {
    co_await asio::async_write(*tls_, sequence, asio::redirect_error(asio::use_awaitable, error));
  } else {
    co_await asio::async_write(socket_, sequence, asio::redirect_error(asio::use_awaitable, error));
  }
  write_deadline_.disarm();
  if (error) {
    co_await throw_if_cancelled();
    fail("writing to", error);
  }
}

void Connection::unread(Bytes bytes) {
  ahead_.assign(bytes.begin(), bytes.end());
  ahead_given_ = 0;
}

bool Connection::idle_and_open() {
  if (!socket_.is_open() || !ahead().empty()) return false;
  char byte = 0;
  return ::recv(socket_.native_handle(), &byte, 1, MSG_PEEK | MSG_DONTWAIT) < 0 && (errno == EAGAIN || errno == EWOULDBLOCK);
}

}  // namespace kiln::io::http
