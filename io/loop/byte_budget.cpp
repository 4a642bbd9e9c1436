#include "io/loop/byte_budget.hpp"

#include <algorithm>

namespace kiln::io {

Task<ByteBudget::Lease> ByteBudget::acquire(std::size_t size) {
  if (!waiting_.empty() || !fits(size)) {
    const std::uint64_t ticket = next_ticket_++;
    waiting_.push_back(ticket);
    try {
      while (waiting_.front() != ticket || !fits(size)) co_await changed_.wait();
    } catch (...) {
      waiting_.erase(std::find(waiting_.begin(), waiting_.end(), ticket));
      changed_.notify_all();
      throw;
    }
    waiting_.pop_front();
    changed_.notify_all();
  }
  used_ += size;
  peak_ = std::max(peak_, used_);
  co_return Lease(this, size);
}

void ByteBudget::give_back(std::size_t size) {
  used_ -= size;
  changed_.notify_all();
}

}  // namespace kiln::io
