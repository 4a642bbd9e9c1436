#include "io/codec/read_ahead.hpp"

#include <algorithm>
#include <condition_variable>
#include <cstring>
#include <deque>
#include <exception>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

namespace kiln::io {

namespace {

class ReadAhead final : public ByteSource {
 public:
  ReadAhead(std::unique_ptr<ByteSource> input, std::size_t buffer_size, unsigned buffers)
      : input_(std::move(input)), buffer_size_(buffer_size), limit_(std::max(buffers, 1U)), thread_([this] { run(); }) {}

  ~ReadAhead() override {
    {
      const std::lock_guard lock(mutex_);
      stopping_ = true;
    }
    changed_.notify_all();
    thread_.join();
  }

  std::size_t read(MutableBytes buffer) override {
    if (offset_ == current_.size()) take();
    const std::size_t count = std::min(buffer.size(), current_.size() - offset_);
    if (count > 0) std::memcpy(buffer.data(), current_.data() + offset_, count);
    offset_ += count;
    return count;
  }

  Bytes next(MutableBytes /*scratch*/) override {
    if (offset_ == current_.size()) take();
    return Bytes(current_).subspan(std::exchange(offset_, current_.size()));
  }

 private:
  using Buffer = std::vector<std::byte>;

  // The next full buffer becomes the current one; empty at the end.
  void take() {
    std::unique_lock lock(mutex_);
    if (current_.capacity() > 0) free_.push_back(std::move(current_));
    current_.clear();
    offset_ = 0;
    changed_.wait(lock, [this] { return !full_.empty() || ended_; });
    if (!full_.empty()) {
      current_ = std::move(full_.front());
      full_.pop_front();
      changed_.notify_all();
    } else if (error_) {
      std::rethrow_exception(error_);
    }
  }

  void run() {
    try {
      while (fill_one()) {
      }
    } catch (...) {
      const std::lock_guard lock(mutex_);
      error_ = std::current_exception();
    }
    const std::lock_guard lock(mutex_);
    ended_ = true;
    changed_.notify_all();
  }

  bool fill_one() {
    Buffer buffer;
    {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [this] { return full_.size() < limit_ || stopping_; });
      if (stopping_) return false;
      if (!free_.empty()) {
        buffer = std::move(free_.back());
        free_.pop_back();
      }
    }
    buffer.resize(buffer_size_);
    std::size_t used = 0;
    while (used < buffer.size()) {
      const std::size_t count = input_->read(MutableBytes(buffer).subspan(used));
      if (count == 0) break;
      used += count;
    }
    const bool more = used == buffer.size();
    buffer.resize(used);
    const std::lock_guard lock(mutex_);
    if (used > 0) full_.push_back(std::move(buffer));
    changed_.notify_all();
    return more;
  }

  std::unique_ptr<ByteSource> input_;
  std::size_t buffer_size_;
  std::size_t limit_;
  Buffer current_;          // the reader's
  std::size_t offset_ = 0;  // the reader's
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Buffer> full_;  // guarded by mutex_, as are the following
  std::vector<Buffer> free_;
  std::exception_ptr error_;
  bool ended_ = false;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace

std::unique_ptr<ByteSource> make_read_ahead(std::unique_ptr<ByteSource> input, std::size_t buffer_size, unsigned buffers) {
  return std::make_unique<ReadAhead>(std::move(input), buffer_size, buffers);
}

}  // namespace kiln::io
