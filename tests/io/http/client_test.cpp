// The client against a server that plays a script: what it reads is kept, what it answers is given.
#include "io/http/client.hpp"

#include <chrono>
#include <string>
#include <vector>

#include <asio/ip/tcp.hpp>
#include <asio/read_until.hpp>
#include <asio/redirect_error.hpp>
#include <asio/write.hpp>
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "io/base/error.hpp"
#include "io/loop/task_group.hpp"
#include "tests/support/run_task.hpp"

namespace kiln::io::http {
namespace {

using asio::ip::tcp;

struct Server {
  explicit Server(Runtime& runtime) : acceptor(runtime.loop(), tcp::endpoint(asio::ip::address_v4::loopback(), 0)) {}
  Url url() const { return parse_url(fmt::format("http://127.0.0.1:{}/x", acceptor.local_endpoint().port())); }

  tcp::acceptor acceptor;
  std::vector<std::string> requests;  // request lines
};

// For each connection the answers to its requests, one after the other; then it is closed.
Task<void> serve(Server& server, std::vector<std::vector<std::string>> connections) {
  for (const auto& answers : connections) {
    tcp::socket socket = co_await server.acceptor.async_accept(asio::use_awaitable);
    std::string input;
    for (const auto& answer : answers) {
      const std::size_t head =
          co_await asio::async_read_until(socket, asio::dynamic_buffer(input), "\r\n\r\n", asio::use_awaitable);
      server.requests.push_back(input.substr(0, input.find('\r')));
      input.erase(0, head);
      co_await asio::async_write(socket, asio::buffer(answer), asio::use_awaitable);
    }
  }
}

// The body, or what went wrong.
Task<std::string> fetch(Client& client, Request request) {
  std::string text;
  try {
    Response response = co_await client.send(std::move(request));
    text = co_await response.read_all();
  } catch (const Error& error) {
    text = error.kind() == ErrorKind::network ? "network error" : error.message();
  }
  co_return text;
}

struct ClientTest : ::testing::Test {
  Runtime runtime{RuntimeOptions{}};
  Client client{runtime, ClientOptions{}};
  Server server{runtime};

  Request request(std::string method) const {
    Request made;
    made.method = std::move(method);
    made.url = server.url();
    return made;
  }
};

constexpr const char* chunks =
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n1;x=y\r\nd\r\na\r\n0123456789\r\n0\r\nT: t\r\n\r\n";
constexpr const char* short_body = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

Task<void> chunks_twice(ClientTest& test, std::vector<std::string>& texts) {
  TaskGroup group(test.runtime.executor());
  group.spawn(serve(test.server, {{chunks, chunks}}));
  for (std::string& text : texts) text = co_await fetch(test.client, test.request("GET"));
  co_await group.join();
}

TEST_F(ClientTest, ChunksAndTheConnectionAfterThem) {
  std::vector<std::string> texts(2);
  kiln::testing::run(runtime, chunks_twice(*this, texts));
  EXPECT_EQ(texts, std::vector<std::string>(2, "abcd0123456789"));
}

// The second connection of the script is for a request that is sent again.
Task<void> lost_answer(ClientTest& test, std::string method, std::string& text) {
  TaskGroup group(test.runtime.executor());
  group.spawn(serve(test.server, {{short_body, ""}, {short_body}}));
  text = co_await fetch(test.client, test.request("GET"));
  text = co_await fetch(test.client, test.request(method));
  if (test.server.requests.size() < 3) {
    const std::string next = co_await fetch(test.client, test.request("GET"));
    text += ", " + next;
  }
  co_await group.join();
}

TEST_F(ClientTest, AGetOnAStaleConnectionIsSentAgain) {
  std::string text;
  kiln::testing::run(runtime, lost_answer(*this, "GET", text));
  EXPECT_EQ(text, "ok");
}

TEST_F(ClientTest, APatchThatMayHaveBeenAppliedIsNot) {
  std::string text;
  kiln::testing::run(runtime, lost_answer(*this, "PATCH", text));
  EXPECT_EQ(text, "network error, ok");
}

Task<std::size_t> endless(MutableBytes buffer) {
  co_await sleep_for(std::chrono::milliseconds(1));
  co_return buffer.size();
}

Task<std::size_t> unreadable(MutableBytes) {
  throw Error(ErrorKind::filesystem, "the spool is gone");
  co_return 0;
}

Task<void> send_body(ClientTest& test, std::function<Task<std::size_t>(MutableBytes)> read, std::string& text) {
  Request request = test.request("PUT");
  request.body.emplace();
  request.body->read = std::move(read);
  text = co_await fetch(test.client, std::move(request));
}

// The server accepts by its backlog and never answers.
Task<void> cancelled_while_sending(ClientTest& test, std::string& text) {
  TaskGroup group(test.runtime.executor());
  group.spawn(send_body(test, endless, text));
  co_await sleep_for(std::chrono::milliseconds(50));
  group.cancel();
  co_await group.join();
}

TEST_F(ClientTest, CancelledWhileSending) {
  std::string text;
  kiln::testing::run(runtime, cancelled_while_sending(*this, text));
}

TEST_F(ClientTest, ABodyThatCannotBeReadEndsTheExchange) {
  std::string text;
  kiln::testing::run(runtime, send_body(*this, unreadable, text), std::chrono::seconds(5));
  EXPECT_EQ(text, "the spool is gone");
}

}  // namespace
}  // namespace kiln::io::http
