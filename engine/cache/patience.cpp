#include "engine/cache/patience.hpp"

#include <algorithm>

#include <asio/this_coro.hpp>
#include <fmt/format.h>

#include "io/base/error.hpp"

namespace kiln::engine {

using io::Task;

namespace {

// Refused connections are tried again for about 3 s: an answer that is older came before them.
constexpr std::chrono::seconds moments{2};

Task<void> end_watch(Task<void> work, io::TaskGroup& watches) {
  std::exception_ptr failure;
  try {
    co_await std::move(work);
  } catch (...) {
    failure = std::current_exception();
  }
  watches.cancel();
  if (failure) std::rethrow_exception(failure);
}

}  // namespace

Patience::Clock::time_point Patience::last_sign() const { return std::max(registry_.last_answer(), *bytes_at_); }

bool Patience::alive() const { return last_sign() + moments > Clock::now(); }

oci::OnBytes Patience::on_bytes() {
  return [at = bytes_at_](std::uint64_t) { *at = Clock::now(); };
}

Task<void> Patience::watch(Clock::time_point started, std::chrono::milliseconds limit, io::TaskGroup& watched, bool& silent) {
  for (;;) {
    const auto left = std::max(started, last_sign()) + limit - Clock::now();
    if (left <= Clock::duration::zero()) break;
    co_await io::sleep_for(left);
  }
  silent = true;
  watched.cancel();
}

Task<void> Patience::wait(Task<void> work, std::chrono::milliseconds limit) {
  const io::Executor executor = co_await asio::this_coro::executor;
  io::TaskGroup watches(executor);
  io::TaskGroup watched(executor);
  bool silent = false;
  watches.spawn(watch(Clock::now(), limit, watched, silent));
  watched.spawn(end_watch(std::move(work), watches));
  std::exception_ptr failure;
  try {
    co_await watched.join();
  } catch (...) {
    failure = std::current_exception();
  }
  co_await watches.join();
  if (failure) std::rethrow_exception(failure);
  if (silent) {
    throw io::Error(io::ErrorKind::network, fmt::format("registry {} has not answered for {} s", registry_.host(),
                                                        std::chrono::duration_cast<std::chrono::seconds>(limit).count()));
  }
}

}  // namespace kiln::engine
