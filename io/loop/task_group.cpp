#include "io/loop/task_group.hpp"

#include <cstdio>
#include <cstdlib>

#include <asio/bind_cancellation_slot.hpp>
#include <asio/co_spawn.hpp>
#include <asio/post.hpp>
#include <asio/redirect_error.hpp>
#include <asio/this_coro.hpp>

#include "io/base/error.hpp"

namespace kiln::io {

TaskGroup::~TaskGroup() {
  if (children_.empty()) return;
  std::fputs("kiln: a task group was destroyed before its tasks had ended\n", stderr);
  std::abort();
}

void TaskGroup::spawn(Task<void> task) {
  const auto child = children_.emplace(children_.end());
  asio::co_spawn(executor_, std::move(task),
                 asio::bind_cancellation_slot(child->signal.slot(),
                                              [this, child](std::exception_ptr error) { finished(child, std::move(error)); }));
  if (cancelled_) child->signal.emit(asio::cancellation_type::terminal);
}

void TaskGroup::finished(std::list<Child>::iterator child, std::exception_ptr error) {
  children_.erase(child);
  if (error && !error_ && !(cancelled_ && as_error(error).kind() == ErrorKind::cancelled)) {
    error_ = std::move(error);
    cancel();
  }
  changed_.notify_all();
}

void TaskGroup::cancel() {
  cancelled_ = true;
  // A child may end, and leave the list, while its signal is being emitted.
  for (auto child = children_.begin(); child != children_.end();) {
    const auto current = child++;
    current->signal.emit(asio::cancellation_type::terminal);
  }
}

Task<void> TaskGroup::join() {
  bool interrupted = false;
  while (!children_.empty()) {
    bool stop = false;
    try {
      co_await changed_.wait();
    } catch (...) {  // Error(cancelled), or Asio's operation_aborted when it was cancelled before it could wait
      stop = true;
    }
    if (stop) {
      // Cancelled from outside: pass it on, then wait for the children without being interruptible again.
      interrupted = true;
      cancel();
      co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
    }
  }
  if (interrupted) {
    co_await asio::this_coro::reset_cancellation_state(asio::enable_terminal_cancellation());
  }
  const std::exception_ptr error = std::exchange(error_, nullptr);
  cancelled_ = false;
  if (error) std::rethrow_exception(error);
  if (interrupted) throw Error(ErrorKind::cancelled, "cancelled");
}

}  // namespace kiln::io
