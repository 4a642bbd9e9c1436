// Threads for work that would hold up the loop: hashing, compressing, inflating, blocking file calls.
//
// The pool runs plain functions and knows no coroutine. A coroutine awaits `offload(pool, function)`: the function runs
// on a pool thread and its result, or its exception, comes home to the loop thread. An offloaded function is never
// abandoned: a cancelled coroutine still waits for it, because the memory it works on belongs to it until it returns.
// Long functions poll a stop flag of their own.
//
// A program has two pools: one of a thread a core for work that computes, and a wider one for functions that wait
// (a decoder that follows a download). Work that waits must not go to the first.
#pragma once

#include <condition_variable>
#include <deque>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include <asio/async_result.hpp>
#include <asio/executor_work_guard.hpp>
#include <asio/post.hpp>
#include <asio/this_coro.hpp>

#include "io/loop/task.hpp"

namespace kiln::io {

class CpuPool {
 public:
  // threads: 0 means one for each core that this process may use.
  explicit CpuPool(unsigned threads = 0);
  ~CpuPool();  // runs what was submitted, then joins
  CpuPool(const CpuPool&) = delete;
  CpuPool& operator=(const CpuPool&) = delete;

  unsigned size() const noexcept { return static_cast<unsigned>(threads_.size()); }

  // Runs `work` on a pool thread; starts in the order of submission. `work` must not throw.
  void submit(std::function<void()> work);

 private:
  void run();

  std::mutex mutex_;
  std::condition_variable ready_;
  std::deque<std::function<void()>> queue_;  // guarded by mutex_
  bool stopping_ = false;                    // guarded by mutex_
  std::vector<std::thread> threads_;
};

// Number of cores that this process may use (its affinity mask and its cgroup's CPU quota, rounded up); at least 1.
unsigned usable_cores();

namespace detail {

template <class Function>
struct Offloaded {
  using Result = std::invoke_result_t<Function&>;
  using Stored = std::conditional_t<std::is_void_v<Result>, std::monostate, std::optional<Result>>;

  Function function;
  [[no_unique_address]] Stored result{};
  std::exception_ptr error{};

  void run() noexcept {
    try {
      if constexpr (std::is_void_v<Result>) {
        function();
      } else {
        result.emplace(function());
      }
    } catch (...) {
      error = std::current_exception();
    }
  }
};

// Completes the awaiting coroutine on `executor` after `state` has run on the pool.
template <class State, class Handler>
void submit_offloaded(CpuPool& pool, Executor executor, std::shared_ptr<State> state, Handler handler) {
  auto shared_handler = std::make_shared<Handler>(std::move(handler));
  auto work = asio::make_work_guard(executor);
  pool.submit([state, shared_handler, work, executor]() mutable {
    state->run();
    asio::post(executor, [handler = std::move(shared_handler), work = std::move(work)]() mutable {
      auto complete = std::move(*handler);
      handler.reset();
      complete();
    });
  });
}

}  // namespace detail

// Runs `function` on `pool` and gives its result. Not interruptible.
template <class Function>
Task<std::invoke_result_t<Function&>> offload(CpuPool& pool, Function function) {
  using State = detail::Offloaded<Function>;
  const Executor executor = co_await asio::this_coro::executor;
  auto state = std::make_shared<State>(State{std::move(function)});
  auto initiate = [&pool, &executor, &state](auto handler) { detail::submit_offloaded(pool, executor, state, std::move(handler)); };
  co_await asio::async_initiate<const asio::use_awaitable_t<>, void()>(initiate, asio::use_awaitable);
  if (state->error) std::rethrow_exception(state->error);
  if constexpr (!std::is_void_v<typename State::Result>) co_return std::move(*state->result);
}

}  // namespace kiln::io
