#include "engine/mounts/agent_proxy.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <filesystem>

#include <asio/redirect_error.hpp>
#include <asio/use_awaitable.hpp>
#include <asio/write.hpp>
#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "io/base/error.hpp"
#include "io/base/fd.hpp"

namespace kiln::engine {

namespace {

using asio::local::stream_protocol;

// One direction; ends the other when its side has nothing more to say.
io::Task<void> pass_on(stream_protocol::socket& from, stream_protocol::socket& to) {
  std::array<char, 16U << 10U> buffer;
  asio::error_code error;
  while (!error) {
    const std::size_t count = co_await from.async_read_some(asio::buffer(buffer), asio::redirect_error(asio::use_awaitable, error));
    if (error) break;
    co_await asio::async_write(to, asio::buffer(buffer.data(), count), asio::redirect_error(asio::use_awaitable, error));
  }
  asio::error_code ignored;
  to.shutdown(stream_protocol::socket::shutdown_send, ignored);
  if (error != asio::error::eof) from.close(ignored);
}

}  // namespace

// A path of any length: the directory is named by its descriptor.
AgentProxy::AgentProxy(io::Runtime& runtime, std::string agent, const std::string& path, const Owner& owner)
    : runtime_(runtime), agent_(std::move(agent)), acceptor_(runtime.loop()), tasks_(runtime.executor()) {
  const std::filesystem::path as_path(path);
  const io::UniqueFd directory(open(as_path.parent_path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!directory) io::throw_errno(errno, fmt::format("making socket '{}'", path));
  const std::string name = as_path.filename();
  asio::error_code error;
  acceptor_.open(stream_protocol(), error);
  if (!error) acceptor_.bind(fmt::format("/proc/self/fd/{}/{}", directory.get(), name), error);
  if (!error) acceptor_.listen(16, error);
  if (error) throw io::Error(io::ErrorKind::filesystem, fmt::format("making socket '{}': {}", path, error.message()));
  if ((owner.uid != 0 || owner.gid != 0) && fchownat(directory.get(), name.c_str(), owner.uid, owner.gid, 0) != 0) {
    io::throw_errno(errno, fmt::format("giving socket '{}' its owner", path));
  }
  if (fchmodat(directory.get(), name.c_str(), owner.mode & 0777, 0) != 0) {
    io::throw_errno(errno, fmt::format("giving socket '{}' its mode", path));
  }
  tasks_.spawn(accept());
}

io::Task<void> AgentProxy::stop() {
  tasks_.cancel();
  asio::error_code ignored;
  acceptor_.close(ignored);
  co_await tasks_.join();
}

io::Task<void> AgentProxy::accept() {
  while (true) {
    asio::error_code error;
    stream_protocol::socket client = co_await acceptor_.async_accept(asio::redirect_error(asio::use_awaitable, error));
    if (error) co_return;
    tasks_.spawn(serve(std::move(client)));
  }
}

io::Task<void> AgentProxy::serve(stream_protocol::socket client) {
  stream_protocol::socket agent(runtime_.loop());
  asio::error_code error;
  co_await agent.async_connect(stream_protocol::endpoint(agent_), asio::redirect_error(asio::use_awaitable, error));
  if (error) {
    spdlog::warn("the ssh agent at {} does not answer: {}", agent_, error.message());
    co_return;
  }
  io::TaskGroup both(runtime_.executor());
  both.spawn(pass_on(client, agent));
  both.spawn(pass_on(agent, client));
  co_await both.join();
}

}  // namespace kiln::engine
