#include "io/loop/notify.hpp"

#include <asio/redirect_error.hpp>
#include <asio/this_coro.hpp>

#include "io/base/error.hpp"

namespace kiln::io {

Task<void> throw_if_cancelled() {
  co_await asio::this_coro::throw_if_cancelled(false);
  const auto state = co_await asio::this_coro::cancellation_state;
  co_await asio::this_coro::throw_if_cancelled(true);
  if (state.cancelled() != asio::cancellation_type::none) throw Error(ErrorKind::cancelled, "cancelled");
}

Task<void> Notify::wait() {
  asio::error_code ignored;  // the timer never expires: it ends by notify_all or by cancellation
  co_await timer_.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
  co_await throw_if_cancelled();
}

Task<void> sleep_for(std::chrono::steady_clock::duration duration) {
  const Executor executor = co_await asio::this_coro::executor;
  asio::steady_timer timer(executor, duration);
  asio::error_code ignored;
  co_await timer.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
  co_await throw_if_cancelled();
}

}  // namespace kiln::io
