// The memory that buffers may take, counted in bytes.
//
// Whoever fills a buffer holds a Lease for its size; when the budget is spent, the next acquire() waits, first come
// first served. So the peak does not depend on the size of a layer or on the number of tasks. Loop thread only; a
// Lease may travel but must be released on the loop thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <utility>

#include "io/loop/notify.hpp"
#include "io/loop/task.hpp"

namespace kiln::io {

class ByteBudget {
 public:
  class Lease {
   public:
    Lease() = default;
    Lease(Lease&& other) noexcept : budget_(std::exchange(other.budget_, nullptr)), size_(other.size_) {}
    Lease& operator=(Lease&& other) noexcept {
      if (this != &other) {
        release();
        budget_ = std::exchange(other.budget_, nullptr);
        size_ = other.size_;
      }
      return *this;
    }
    ~Lease() { release(); }
    void release() {
      if (budget_) std::exchange(budget_, nullptr)->give_back(size_);
    }
    std::size_t size() const noexcept { return budget_ ? size_ : 0; }

   private:
    friend class ByteBudget;
    Lease(ByteBudget* budget, std::size_t size) : budget_(budget), size_(size) {}
    ByteBudget* budget_ = nullptr;
    std::size_t size_ = 0;
  };

  ByteBudget(const Executor& executor, std::size_t limit) : limit_(limit), changed_(executor) {}

  // Waits until `size` bytes are free. A size above the limit is granted when nothing else is out, so that no request
  // can wait for ever. A cancellation point.
  Task<Lease> acquire(std::size_t size);

  std::size_t limit() const noexcept { return limit_; }
  std::size_t used() const noexcept { return used_; }
  std::size_t peak() const noexcept { return peak_; }

 private:
  void give_back(std::size_t size);
  bool fits(std::size_t size) const { return used_ == 0 || used_ + size <= limit_; }

  std::size_t limit_;
  std::size_t used_ = 0;
  std::size_t peak_ = 0;
  std::uint64_t next_ticket_ = 0;
  std::deque<std::uint64_t> waiting_;  // tickets, the oldest first
  Notify changed_;
};

}  // namespace kiln::io
