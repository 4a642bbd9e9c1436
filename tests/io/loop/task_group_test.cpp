#include "io/loop/task_group.hpp"

#include <gtest/gtest.h>

#include "io/base/error.hpp"
#include "io/loop/byte_budget.hpp"
#include "io/loop/byte_queue.hpp"
#include "tests/support/run_task.hpp"

namespace kiln::io {
namespace {

using namespace std::chrono_literals;

Task<void> fail_after(std::chrono::milliseconds delay, std::string what) {
  co_await sleep_for(delay);
  throw Error(ErrorKind::internal, what);
}

Task<void> sleep_long(bool& cancelled) {
  try {
    co_await sleep_for(1h);
  } catch (...) {
    cancelled = true;
    throw;
  }
}

TEST(TaskGroup, FirstErrorInTimeWinsAndSiblingsAreCancelled) {
  Runtime runtime({});
  bool cancelled = false;
  std::string message;
  auto body = [&]() -> Task<void> {
    TaskGroup group(runtime.executor());
    group.spawn(fail_after(20ms, "late"));
    group.spawn(fail_after(1ms, "early"));
    group.spawn(sleep_long(cancelled));
    try {
      co_await group.join();
    } catch (const Error& error) {
      message = error.message();
    }
  };
  testing::run(runtime, body());
  EXPECT_EQ(message, "early");
  EXPECT_TRUE(cancelled);
}

TEST(TaskGroup, CancellingTheParentEndsTheChildren) {
  Runtime runtime({});
  bool cancelled = false;
  auto parent = [&]() -> Task<void> {
    TaskGroup group(runtime.executor());
    group.spawn(sleep_long(cancelled));
    co_await group.join();
  };
  bool reported = false;
  auto body = [&]() -> Task<void> {
    TaskGroup group(runtime.executor());
    group.spawn(parent());
    co_await sleep_for(1ms);
    group.cancel();
    co_await group.join();
    reported = true;
  };
  testing::run(runtime, body());
  EXPECT_TRUE(cancelled);
  EXPECT_TRUE(reported);
}

TEST(Offload, GivesResultsAndExceptions) {
  Runtime runtime({});
  int result = 0;
  bool thrown = false;
  auto body = [&]() -> Task<void> {
    result = co_await offload(runtime.cpu(), [] { return 42; });
    try {
      co_await offload(runtime.cpu(), [] { throw Error(ErrorKind::internal, "no"); });
    } catch (const Error&) {
      thrown = true;
    }
  };
  testing::run(runtime, body());
  EXPECT_EQ(result, 42);
  EXPECT_TRUE(thrown);
}

Task<void> hold(ByteBudget& budget, std::size_t size, std::vector<std::size_t>& order) {
  const ByteBudget::Lease lease = co_await budget.acquire(size);
  order.push_back(size);
  co_await sleep_for(1ms);
}

TEST(ByteBudget, ServesInOrderAndNeverExceedsItsLimit) {
  Runtime runtime({});
  ByteBudget budget(runtime.executor(), 100);
  std::vector<std::size_t> order;
  auto body = [&]() -> Task<void> {
    TaskGroup group(runtime.executor());
    for (const std::size_t size : {80U, 90U, 10U, 30U}) group.spawn(hold(budget, size, order));
    co_await group.join();
  };
  testing::run(runtime, body());
  EXPECT_EQ(order, (std::vector<std::size_t>{80, 90, 10, 30}));
  EXPECT_LE(budget.peak(), 100U);
  EXPECT_EQ(budget.used(), 0U);
}

TEST(ByteBudget, GrantsMoreThanTheLimitWhenNothingIsOut) {
  Runtime runtime({});
  ByteBudget budget(runtime.executor(), 10);
  std::vector<std::size_t> order;
  auto body = [&]() -> Task<void> { co_await hold(budget, 1000, order); };
  testing::run(runtime, body());
  EXPECT_EQ(order.size(), 1U);
}

Task<void> produce(ByteQueue<int>& queue) {
  for (int i = 0; i < 10; ++i) co_await queue.push(i, 4);
  queue.close();
}

TEST(ByteQueue, DrainsAfterClose) {
  Runtime runtime({});
  ByteQueue<int> queue(runtime.executor(), 8);
  std::vector<int> got;
  auto body = [&]() -> Task<void> {
    TaskGroup group(runtime.executor());
    group.spawn(produce(queue));
    while (true) {
      const std::optional<int> item = co_await queue.pop();
      if (!item) break;
      got.push_back(*item);
      EXPECT_LE(queue.bytes(), 8U);
    }
    co_await group.join();
  };
  testing::run(runtime, body());
  EXPECT_EQ(got.size(), 10U);
}

}  // namespace
}  // namespace kiln::io
