// A bounded queue between two stages of a pipeline.
//
// It counts bytes, not items: push() waits while more than `limit` bytes are inside. The end is part of the stream
// (close()), so buffered items are always drained; fail() passes the producer's error to the consumer at once. Loop
// thread only, any number of producers, one consumer.
#pragma once

#include <cstddef>
#include <deque>
#include <exception>
#include <optional>
#include <utility>

#include "io/loop/notify.hpp"
#include "io/loop/task.hpp"

namespace kiln::io {

template <class Item>
class ByteQueue {
 public:
  ByteQueue(const Executor& executor, std::size_t limit) : limit_(limit), changed_(executor) {}

  // Waits while the queue is full. An item larger than the limit passes when the queue is empty.
  Task<void> push(Item item, std::size_t size) {
    while (bytes_ != 0 && bytes_ + size > limit_) co_await changed_.wait();
    bytes_ += size;
    items_.emplace_back(std::move(item), size);
    changed_.notify_all();
  }

  // The next item, or nothing after close(). Rethrows what fail() was given.
  Task<std::optional<Item>> pop() {
    while (items_.empty() && !closed_ && !error_) co_await changed_.wait();
    if (error_) std::rethrow_exception(error_);
    if (items_.empty()) co_return std::nullopt;
    auto [item, size] = std::move(items_.front());
    items_.pop_front();
    bytes_ -= size;
    changed_.notify_all();
    co_return std::move(item);
  }

  void close() {
    closed_ = true;
    changed_.notify_all();
  }
  void fail(std::exception_ptr error) {
    error_ = std::move(error);
    changed_.notify_all();
  }

  std::size_t bytes() const noexcept { return bytes_; }

 private:
  std::size_t limit_;
  std::size_t bytes_ = 0;
  std::deque<std::pair<Item, std::size_t>> items_;
  bool closed_ = false;
  std::exception_ptr error_;
  Notify changed_;
};

}  // namespace kiln::io
