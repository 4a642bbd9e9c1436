// What every part of a build runs on: the loop, the two pools, and the budget for buffers.
#pragma once

#include <cstddef>

#include <asio/io_context.hpp>

#include "io/loop/byte_budget.hpp"
#include "io/loop/cpu_pool.hpp"
#include "io/loop/task.hpp"

namespace kiln::io {

struct RuntimeOptions {
  unsigned cpu_threads = 0;                // 0: one a usable core
  unsigned waiting_threads = 16;           // for functions that wait for a download or a disk
  std::size_t memory_budget = 96U << 20U;  // bytes of buffers
};

class Runtime {
 public:
  explicit Runtime(const RuntimeOptions& options);
  Runtime(const Runtime&) = delete;
  Runtime& operator=(const Runtime&) = delete;

  asio::io_context& loop() noexcept { return loop_; }
  Executor executor() { return loop_.get_executor(); }
  CpuPool& cpu() noexcept { return cpu_; }
  CpuPool& waiting() noexcept { return waiting_; }
  ByteBudget& budget() noexcept { return budget_; }

  // Runs `task` on this thread until it has ended; rethrows its error. SIGINT and SIGTERM cancel it, once; its cleanup
  // then still runs to the end. Returns normally only if the task did.
  void run(Task<void> task);

 private:
  asio::io_context loop_{1};
  CpuPool cpu_;
  CpuPool waiting_;
  ByteBudget budget_;
};

}  // namespace kiln::io
