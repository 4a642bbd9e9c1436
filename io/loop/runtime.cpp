#include "io/loop/runtime.hpp"

#include <csignal>
#include <exception>

#include <asio/bind_cancellation_slot.hpp>
#include <asio/cancellation_signal.hpp>
#include <asio/co_spawn.hpp>
#include <asio/signal_set.hpp>
#include <spdlog/spdlog.h>

#include "io/base/error.hpp"

namespace kiln::io {

Runtime::Runtime(const RuntimeOptions& options)
    : cpu_(options.cpu_threads), waiting_(options.waiting_threads), budget_(loop_.get_executor(), options.memory_budget) {}

void Runtime::run(Task<void> task) {
  asio::cancellation_signal stop;
  asio::signal_set signals(loop_, SIGINT, SIGTERM);
  int received = 0;
  signals.async_wait([&](asio::error_code error, int number) {
    if (error) return;
    received = number;
    spdlog::warn("stopping on signal {}", number == SIGINT ? "SIGINT" : "SIGTERM");
    stop.emit(asio::cancellation_type::terminal);
  });

  std::exception_ptr failure;
  asio::co_spawn(loop_, std::move(task), asio::bind_cancellation_slot(stop.slot(), [&](std::exception_ptr error) {
                   failure = std::move(error);
                   signals.cancel();
                 }));
  loop_.restart();
  loop_.run();
  if (received != 0) {
    throw Error(ErrorKind::cancelled, received == SIGINT ? "stopped by SIGINT" : "stopped by SIGTERM")
        .set_exit_code(128 + received);
  }
  if (failure) std::rethrow_exception(failure);
}

}  // namespace kiln::io
