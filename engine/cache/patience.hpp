// Waiting for a registry that may have stopped answering without closing connections: a node that is gone, a firewall.
//
// What a registry does at its own pace is waited for as long as something comes of it, be it in minutes; silence is not.
#pragma once

#include <chrono>
#include <memory>

#include "io/loop/task_group.hpp"
#include "oci/registry/client.hpp"

namespace kiln::engine {

// Silences that mean that a registry is gone. What ends an upload may be the copying of all of it in a store behind the registry.
inline constexpr std::chrono::seconds longest_look_up{20};
inline constexpr std::chrono::seconds longest_write{60};

class Patience {
 public:
  explicit Patience(const oci::Registry& registry) : registry_(registry) {}

  // Does `work`, whose requests go to the registry. When nothing has come from there for `limit` it is cancelled. Errors:
  // io::Error(network) then; those of `work`.
  io::Task<void> wait(io::Task<void> work, std::chrono::milliseconds limit);

  // Bytes have been sent or have come: the registry is there.
  oci::OnBytes on_bytes();
  // Whether it has answered, or taken bytes, in the last moments.
  bool alive() const;

 private:
  using Clock = std::chrono::steady_clock;
  io::Task<void> watch(Clock::time_point started, std::chrono::milliseconds limit, io::TaskGroup& watched, bool& silent);
  Clock::time_point last_sign() const;

  const oci::Registry& registry_;
  std::shared_ptr<Clock::time_point> bytes_at_ = std::make_shared<Clock::time_point>();
};

}  // namespace kiln::engine
