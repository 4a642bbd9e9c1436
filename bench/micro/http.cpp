// A body of 64 MB over loopback, from and to a server that does nothing else.
#include <thread>

#include <asio/buffer.hpp>
#include <asio/ip/tcp.hpp>
#include <asio/read.hpp>
#include <asio/read_until.hpp>
#include <asio/write.hpp>
#include <benchmark/benchmark.h>
#include <fmt/format.h>

#include "bench/micro/support.hpp"
#include "io/http/client.hpp"

namespace kiln::bench {
namespace {

using asio::ip::tcp;

constexpr std::size_t size = 64U << 20U;

// Answers GET with `size` bytes and takes as many by PUT, one connection after the other, on a thread of its own.
class Server {
 public:
  Server() : acceptor_(context_, tcp::endpoint(asio::ip::address_v4::loopback(), 0)), thread_([this] { run(); }) {}
  ~Server() {
    stopping_ = true;
    asio::error_code ignored;
    tcp::socket(context_).connect(acceptor_.local_endpoint(), ignored);  // wakes accept()
    thread_.join();
  }
  std::string url() const { return fmt::format("http://127.0.0.1:{}/body", acceptor_.local_endpoint().port()); }

 private:
  void run() {
    while (true) {
      asio::error_code failed;
      tcp::socket socket = acceptor_.accept(failed);
      if (stopping_) return;
      while (!failed) failed = serve(socket);
    }
  }

  asio::error_code serve(tcp::socket& socket) {
    asio::error_code failed;
    std::string head;
    const std::size_t length = asio::read_until(socket, asio::dynamic_buffer(head), "\r\n\r\n", failed);
    if (failed) return failed;
    if (head.starts_with("GET")) {
      asio::write(socket, asio::buffer(fmt::format("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", size)), failed);
      for (std::size_t sent = 0; sent < size && !failed; sent += buffer_.size()) asio::write(socket, asio::buffer(buffer_), failed);
      return failed;
    }
    for (std::size_t left = size - (head.size() - length); left > 0 && !failed;)
      left -= socket.read_some(asio::buffer(buffer_), failed);
    asio::write(socket, asio::buffer(std::string("HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n")), failed);
    return failed;
  }

  asio::io_context context_;
  tcp::acceptor acceptor_;
  std::vector<std::byte> buffer_ = std::vector<std::byte>(1U << 20U);
  std::atomic<bool> stopping_ = false;
  std::thread thread_;
};

io::Task<void> receive(io::http::Client& client, std::string url) {
  io::http::Request request;
  request.url = io::http::parse_url(url);
  request.direct = true;
  io::http::Response response = co_await client.send(std::move(request));
  std::vector<std::byte> buffer(256U << 10U);
  std::size_t count = 1;
  while (count > 0) count = co_await response.read_some(buffer);
}

// A body that is nothing but its size.
class Zeros {
 public:
  io::Task<std::size_t> read(io::MutableBytes buffer) {
    const std::size_t count = std::min(buffer.size(), left_);
    left_ -= count;
    co_return count;
  }

 private:
  std::size_t left_ = size;
};

io::Task<void> send(io::http::Client& client, std::string url) {
  Zeros zeros;
  io::http::Request request;
  request.method = "PUT";
  request.url = io::http::parse_url(url);
  request.direct = true;
  request.body.emplace();
  request.body->size = size;
  request.body->read = [&zeros](io::MutableBytes buffer) { return zeros.read(buffer); };
  io::http::Response response = co_await client.send(std::move(request));
  co_await response.discard();
}

void bench_http(benchmark::State& state, io::Task<void> (*transfer)(io::http::Client&, std::string)) {
  const Server server;
  {
    io::http::Client client(shared_runtime(), {});
    for (auto _ : state) shared_runtime().run(transfer(client, server.url()));
  }
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(size));
}

BENCHMARK_CAPTURE(bench_http, receive, receive)->Unit(benchmark::kMillisecond)->UseRealTime();
BENCHMARK_CAPTURE(bench_http, send, send)->Unit(benchmark::kMillisecond)->UseRealTime();

}  // namespace
}  // namespace kiln::bench
