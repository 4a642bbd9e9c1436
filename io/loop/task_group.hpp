// Tasks that have a parent.
//
//   TaskGroup group(executor);
//   group.spawn(first());
//   group.spawn(second());
//   co_await group.join();
//
// The first error in time wins, its siblings are cancelled, and join() rethrows it after all of them have ended. join()
// itself is cancellable: cancelling the parent cancels the children and join() still waits for them. A group destroyed
// with a living child is a bug in kiln and aborts the program. Loop thread only.
#pragma once

#include <cstddef>
#include <exception>
#include <list>
#include <string>

#include <asio/cancellation_signal.hpp>

#include "io/loop/notify.hpp"
#include "io/loop/task.hpp"

namespace kiln::io {

class TaskGroup {
 public:
  explicit TaskGroup(const Executor& executor) : executor_(executor), changed_(executor) {}
  ~TaskGroup();
  TaskGroup(const TaskGroup&) = delete;
  TaskGroup& operator=(const TaskGroup&) = delete;

  // Starts `task`; after cancel() or an error it is started cancelled, so that it still runs its cleanup.
  void spawn(Task<void> task);

  // Waits until every child has ended; rethrows the first error. May be used again afterwards.
  Task<void> join();

  // Asks every child to stop. The children end with Error(cancelled), which join() does not report: the caller knows.
  void cancel();

  std::size_t running() const noexcept { return children_.size(); }
  bool failed() const noexcept { return error_ != nullptr; }

 private:
  struct Child {
    asio::cancellation_signal signal;
  };
  void finished(std::list<Child>::iterator child, std::exception_ptr error);

  Executor executor_;
  Notify changed_;
  std::list<Child> children_;
  std::exception_ptr error_;
  bool cancelled_ = false;
};

}  // namespace kiln::io
