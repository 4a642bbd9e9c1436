// A socket for a RUN that passes everything on to an ssh agent outside: the agent's own socket belongs to another user and
// lies where the RUN cannot see it.
#pragma once

#include <cstdint>
#include <string>

#include <asio/local/stream_protocol.hpp>

#include "io/loop/runtime.hpp"
#include "io/loop/task_group.hpp"

namespace kiln::engine {

class AgentProxy {
 public:
  struct Owner {
    std::uint32_t mode = 0600, uid = 0, gid = 0;
  };
  // Listens on `path` from now on, which is made. Errors: io::Error(filesystem) naming it.
  AgentProxy(io::Runtime& runtime, std::string agent, const std::string& path, const Owner& owner);

  // Ends all connections. Due before destruction.
  io::Task<void> stop();

 private:
  io::Task<void> accept();
  io::Task<void> serve(asio::local::stream_protocol::socket client);

  io::Runtime& runtime_;
  std::string agent_;
  asio::local::stream_protocol::acceptor acceptor_;
  io::TaskGroup tasks_;
};

}  // namespace kiln::engine
