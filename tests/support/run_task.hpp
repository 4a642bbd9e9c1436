// Running a coroutine in a test, with a limit on how long it may take.
#pragma once

#include <chrono>
#include <exception>
#include <optional>
#include <stdexcept>

#include <asio/co_spawn.hpp>

#include "io/loop/runtime.hpp"

namespace kiln::testing {

inline void run(io::Runtime& runtime, io::Task<void> task, std::chrono::seconds limit = std::chrono::seconds(20)) {
  std::exception_ptr failure;
  bool done = false;
  asio::co_spawn(runtime.loop(), std::move(task), [&](std::exception_ptr error) {
    failure = std::move(error);
    done = true;
  });
  runtime.loop().restart();
  runtime.loop().run_for(limit);
  if (!done) throw std::runtime_error("the test's task did not end in time");
  if (failure) std::rethrow_exception(failure);
}

}  // namespace kiln::testing
