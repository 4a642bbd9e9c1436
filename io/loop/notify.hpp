// A condition that coroutines of one loop wait for.
//
//   while (!ready()) co_await notify.wait();
//
// Waiting is a cancellation point (throws Error(cancelled)). Only the loop thread may call any of it.
#pragma once

#include <chrono>

#include <asio/steady_timer.hpp>

#include "io/loop/task.hpp"

namespace kiln::io {

class Notify {
 public:
  explicit Notify(const Executor& executor) : timer_(executor, asio::steady_timer::time_point::max()) {}

  // Returns at the next notify_all(); the caller checks its condition again.
  Task<void> wait();
  void notify_all() { timer_.cancel(); }

 private:
  asio::steady_timer timer_;
};

// Throws Error(cancelled) if this coroutine was cancelled.
Task<void> throw_if_cancelled();

// Waits. A cancellation point.
Task<void> sleep_for(std::chrono::steady_clock::duration duration);

}  // namespace kiln::io
