// HTTP/1.1 client: streamed, back-pressured, parallel.
//
// One Client owns the pool of kept-alive connections. Bodies are streams in both directions; nothing is held in memory
// beyond one buffer a transfer. Redirects are followed (301, 302, 303, 307, 308; at most 10) and lose `Authorization`,
// `Cookie` and `Proxy-Authorization` when scheme, host or port change (RFC 9110 section 15.4). Proxies come from
// HTTP_PROXY, HTTPS_PROXY, NO_PROXY in either case, as curl and Go read them; https goes through CONNECT.
// Loop thread only.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "io/base/bytes.hpp"
#include "io/http/url.hpp"
#include "io/loop/runtime.hpp"
#include "io/loop/task.hpp"

namespace kiln::io::http {

// Header fields in order; names compare without case.
class Headers {
 public:
  void set(std::string_view name, std::string value);  // replaces
  void add(std::string_view name, std::string value);  // appends
  void remove(std::string_view name);
  std::optional<std::string_view> get(std::string_view name) const;  // the first
  std::vector<std::string_view> get_all(std::string_view name) const;
  const std::vector<std::pair<std::string, std::string>>& fields() const noexcept { return fields_; }

 private:
  std::vector<std::pair<std::string, std::string>> fields_;
};

// A request body. `read` fills the buffer and gives the number of bytes, 0 at the end; it may wait.
// With a size the body is sent with Content-Length, without one as chunks (RFC 9112 section 7.1).
struct Body {
  std::optional<std::uint64_t> size;
  std::function<Task<std::size_t>(MutableBytes)> read;
  // Starts the body again from its first byte; needed for redirects and for retries on a stale connection. A body that
  // cannot be repeated leaves it empty.
  std::function<void()> rewind;

  static Body text(std::string text);
};

struct Timeouts {
  std::chrono::milliseconds connect{30'000};    // name look-up, TCP, proxy, TLS
  std::chrono::milliseconds response{120'000};  // from the end of the request to the status line
  std::chrono::milliseconds idle{60'000};       // between two pieces of a body, either way
};

// How the servers are trusted that a request leads to, redirects included, beyond what ClientOptions::hosts says of them.
struct Trust {
  std::string host;          // one of ClientOptions::hosts, whose settings count for them, too; empty: none
  bool skip_verify = false;  // certificates are not checked
};

struct Request {
  std::string method = "GET";
  Url url;
  Headers headers;
  std::optional<Body> body;
  Timeouts timeouts;
  bool follow_redirects = true;
  bool direct = false;  // past any proxy, for services of the machine itself
  Trust trust;
};

// A response whose body is still on the wire. Destroying it before the end closes the connection; reading to the end
// gives the connection back to the pool.
class Response {
 public:
  int status() const noexcept;
  const Headers& headers() const noexcept;
  const Url& url() const noexcept;  // after redirects
  std::optional<std::uint64_t> content_length() const noexcept;

  // Fills some of `buffer`; 0 at the end. Throws Error(network) when the connection ends before the body does.
  Task<std::size_t> read_some(MutableBytes buffer);
  // The whole body; Error(protocol) above `limit` bytes.
  Task<std::string> read_all(std::size_t limit = 4U << 20U);
  // Reads and drops the rest, at most 64 KiB; more, or a body that breaks off, closes the connection and is no error.
  Task<void> discard();

  Response(Response&&) noexcept;
  Response& operator=(Response&&) noexcept;
  ~Response();

 private:
  friend class Client;
  struct State;
  explicit Response(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

// What a host is trusted with.
struct HostTls {
  bool skip_verify = false;
  std::vector<std::string> extra_ca_files;  // PEM
  std::string client_certificate_file;      // PEM; empty: none
  std::string client_key_file;
};

struct ClientOptions {
  std::string user_agent = "kiln";
  // PEM bundles and directories of PEM files, read once when the client is made. Default: SSL_CERT_FILE and
  // SSL_CERT_DIR (colon-separated) when set, else the bundle beside the program, else the system's.
  std::vector<std::string> ca_files;
  std::vector<std::string> ca_directories;
  std::map<std::string, HostTls, std::less<>> hosts;  // by "host" or "host:port"
  std::size_t max_idle_per_host = 16;
};

class Client {
 public:
  Client(Runtime& runtime, ClientOptions options);
  ~Client();
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  // Sends and gives the response once its header is complete. Any status is a response, not an error.
  // Errors: network (connect, TLS, broken or timed-out transfer), denied (a certificate that cannot be trusted), protocol
  // (not HTTP), cancelled.
  // An idempotent request on a kept-alive connection that the server had already closed is sent again on a new one.
  Task<Response> send(Request request);

  // Bytes over the wire since the start, for the summary: bodies only.
  std::uint64_t bytes_received() const noexcept;
  std::uint64_t bytes_sent() const noexcept;
  std::uint64_t requests() const noexcept;

  struct Impl;  // shared with the responses that are still being read

 private:
  std::unique_ptr<Impl> impl_;
};

}  // namespace kiln::io::http
