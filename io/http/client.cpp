#include "io/http/client.hpp"

#include <algorithm>
#include <deque>
#include <utility>

#include <fmt/format.h>

#include "io/base/error.hpp"
#include "io/http/exchange.hpp"
#include "io/http/proxy.hpp"

namespace kiln::io::http {

namespace {

constexpr int most_redirects = 10;
constexpr std::size_t most_discarded = 64U << 10U;
constexpr std::size_t longest_line = 8U << 10U;  // of a chunk's size or a trailer

bool is_redirect(int status) { return status == 301 || status == 302 || status == 303 || status == 307 || status == 308; }

}  // namespace

// Idle connections, counters and trust; shared with responses that are still being read.
struct Client::Impl {
  Impl(Runtime& the_runtime, ClientOptions the_options)
      : runtime(the_runtime), options(std::move(the_options)), tls(options), proxies(ProxySettings::from_environment()) {}

  Runtime& runtime;
  ClientOptions options;
  TlsContexts tls;
  ProxySettings proxies;
  Counters counters;
  std::map<std::string, std::deque<std::unique_ptr<Connection>>> idle;

  std::unique_ptr<Connection> take_idle(const std::string& key) {
    auto& connections = idle[key];
    while (!connections.empty()) {
      auto connection = std::move(connections.back());
      connections.pop_back();
      if (connection->idle_and_open()) return connection;
    }
    return nullptr;
  }

  void give_back(const std::string& key, std::unique_ptr<Connection> connection) {
    auto& connections = idle[key];
    if (connections.size() < options.max_idle_per_host) connections.push_back(std::move(connection));
  }

  Task<Response> send_once(Request& request);
};

struct Response::State {
  Client::Impl* client = nullptr;
  std::string key;
  std::unique_ptr<Connection> connection;  // given back, or closed, at the end of the body
  ResponseHead head;
  Url url;
  BodyFraming framing;
  std::uint64_t left = 0;  // of the body, or of the current chunk
  bool first_chunk = true;
  bool ended = false;
  bool reusable = false;
  std::chrono::milliseconds idle{0};

  void end() {
    ended = true;
    if (reusable && connection) client->give_back(key, std::move(connection));
    connection.reset();
  }

  Task<std::size_t> read_raw(MutableBytes buffer) {
    connection->read_deadline().arm(idle);
    const std::size_t count = co_await connection->read_some(buffer);
    connection->read_deadline().disarm();
    co_return count;
  }

  Task<std::string> read_line() {
    connection->read_deadline().arm(idle);
    std::string line = co_await connection->read_line(longest_line);
    connection->read_deadline().disarm();
    co_return line;
  }

  // Goes to the next chunk's data; false after the last one and its trailers.
  Task<bool> next_chunk() {
    if (!first_chunk) co_await read_line();
    first_chunk = false;
    const std::string line = co_await read_line();
    left = parse_chunk_size(line);
    if (left > 0) co_return true;
    std::string trailer = co_await read_line();
    while (!trailer.empty()) trailer = co_await read_line();
    co_return false;
  }
};

Client::Client(Runtime& runtime, ClientOptions options) : impl_(std::make_unique<Impl>(runtime, std::move(options))) {}
Client::~Client() = default;
std::uint64_t Client::bytes_received() const noexcept { return impl_->counters.received; }
std::uint64_t Client::bytes_sent() const noexcept { return impl_->counters.sent; }
std::uint64_t Client::requests() const noexcept { return impl_->counters.requests; }

Task<Response> Client::Impl::send_once(Request& request) {
  const auto proxy = request.direct ? std::nullopt : proxies.proxy_for(request.url);
  const bool absolute = proxy && request.url.scheme == "http";
  std::string key = request.url.scheme + "://" + request.url.authority();
  if (proxy) key += " " + proxy->text();
  if (request.url.scheme == "https") key += fmt::format(" {} {}", request.trust.host, request.trust.skip_verify);
  request.headers.set("Host", request.url.authority());
  if (absolute && !proxy->user_info.empty()) {
    request.headers.set("Proxy-Authorization", basic_login(percent_decode(proxy->user_info)));
  } else {
    request.headers.remove("Proxy-Authorization");  // a redirect may lead past the proxy
  }
  if (!request.headers.get("User-Agent")) request.headers.set("User-Agent", options.user_agent);
  if (request.body) {
    if (request.body->size) {
      request.headers.set("Content-Length", std::to_string(*request.body->size));
    } else {
      request.headers.set("Transfer-Encoding", "chunked");
    }
  } else if (request.method == "POST" || request.method == "PUT" || request.method == "PATCH") {
    request.headers.set("Content-Length", "0");
  }
  const std::string target = absolute ? request.url.text() : request.url.target;
  while (true) {
    auto connection = take_idle(key);
    const bool reused = connection != nullptr;
    if (!connection) {
      connection =
          co_await Connection::open(runtime, tls, request.url, request.trust, proxy, options.user_agent, request.timeouts.connect);
    }
    Exchange answer;
    bool stale = false;
    try {
      answer = co_await exchange(*connection, request, target, reused, counters, runtime.executor());
    } catch (const StaleConnection&) {
      stale = true;
    }
    if (stale) {
      if (request.body && !request.body->rewind) {
        throw Error(ErrorKind::network, fmt::format("writing to {}: the server closed the connection", request.url.authority()));
      }
      if (request.body) request.body->rewind();
      continue;
    }
    auto state = std::make_unique<Response::State>();
    state->client = this;
    state->key = key;
    state->connection = std::move(connection);
    state->framing = framing_of(request.method, answer.head);
    state->left = state->framing.length;
    state->reusable = answer.body_sent && keeps_alive(answer.head) && state->framing.kind != BodyFraming::Kind::until_close;
    state->head = std::move(answer.head);
    state->url = request.url;
    state->idle = request.timeouts.idle;
    const bool empty =
        state->framing.kind == BodyFraming::Kind::none || (state->framing.kind == BodyFraming::Kind::length && state->left == 0);
    if (empty) state->end();
    co_return Response(std::move(state));
  }
}

Task<Response> Client::send(Request request) {
  for (int redirects = 0;; ++redirects) {
    Response response = co_await impl_->send_once(request);
    const auto location = response.headers().get("Location");
    if (!request.follow_redirects || !is_redirect(response.status()) || !location) co_return response;
    if (redirects == most_redirects) {
      throw Error(ErrorKind::protocol, fmt::format("{}: too many redirects", request.url.text()));
    }
    const Url next = resolve_url(request.url, *location);
    if (!next.same_origin(request.url)) {
      request.headers.remove("Authorization");
      request.headers.remove("Cookie");
      request.headers.remove("Proxy-Authorization");
    }
    const bool becomes_get = response.status() == 303 || (response.status() < 303 && request.method == "POST");
    if (becomes_get && request.method != "HEAD") {
      request.method = "GET";
      request.body.reset();
      request.headers.remove("Content-Length");
      request.headers.remove("Transfer-Encoding");
    } else if (request.body) {
      if (!request.body->rewind) co_return response;
      request.body->rewind();
    }
    co_await response.discard();
    request.url = next;
  }
}

Response::Response(std::unique_ptr<State> state) : state_(std::move(state)) {}
Response::Response(Response&&) noexcept = default;
Response& Response::operator=(Response&&) noexcept = default;
Response::~Response() = default;

int Response::status() const noexcept { return state_->head.status; }
const Headers& Response::headers() const noexcept { return state_->head.headers; }
const Url& Response::url() const noexcept { return state_->url; }
std::optional<std::uint64_t> Response::content_length() const noexcept {
  if (state_->framing.kind != BodyFraming::Kind::length) return std::nullopt;
  return state_->framing.length;
}

Task<std::size_t> Response::read_some(MutableBytes buffer) {
  State& state = *state_;
  using Kind = BodyFraming::Kind;
  if (state.ended || buffer.empty()) co_return 0;
  if (state.framing.kind == Kind::chunked && state.left == 0) {
    const bool more = co_await state.next_chunk();
    if (!more) {
      state.end();
      co_return 0;
    }
  }
  const bool bounded = state.framing.kind != Kind::until_close;
  if (bounded) buffer = buffer.first(static_cast<std::size_t>(std::min<std::uint64_t>(buffer.size(), state.left)));
  const std::size_t count = co_await state.read_raw(buffer);
  state.client->counters.received += count;
  if (count == 0) {
    if (bounded) {
      throw Error(ErrorKind::network, fmt::format("reading from {}: the body ended too early", state.url.authority()));
    }
    state.end();
    co_return 0;
  }
  if (bounded) state.left -= count;
  if (state.framing.kind == Kind::length && state.left == 0) state.end();
  co_return count;
}

Task<std::string> Response::read_all(std::size_t limit) {
  std::string text;
  std::vector<std::byte> buffer(64U << 10U);
  while (true) {
    const std::size_t count = co_await read_some(buffer);
    if (count == 0) break;
    if (text.size() + count > limit) {
      throw Error(ErrorKind::protocol, fmt::format("{}: more than {} bytes", state_->url.text(), limit));
    }
    text += as_text(Bytes(buffer).first(count));
  }
  co_return text;
}

Task<void> Response::discard() {
  std::vector<std::byte> buffer(16U << 10U);
  std::size_t total = 0;
  try {
    while (!state_->ended && total < most_discarded) {
      const std::size_t count = co_await read_some(buffer);
      total += count;
    }
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::network && error.kind() != ErrorKind::protocol) throw;
  }
  state_->ended = true;
  state_->connection.reset();
}

}  // namespace kiln::io::http
