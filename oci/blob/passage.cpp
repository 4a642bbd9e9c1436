#include "oci/blob/passage.hpp"

#include <algorithm>
#include <chrono>
#include <cstring>
#include <utility>

#include <asio/post.hpp>
#include <fmt/format.h>

#include "io/base/error.hpp"
#include "io/codec/digest.hpp"

namespace kiln::oci {

class Passage::Source final : public io::ByteSource {
 public:
  Source(PassagePtr passage, const std::atomic<bool>* stop) : passage_(std::move(passage)), stop_(stop) {}
  ~Source() override { passage_->leave(); }
  Source(const Source&) = delete;
  Source& operator=(const Source&) = delete;

  std::size_t read(io::MutableBytes buffer) override {
    if (offset_ == current_.size && !take()) return 0;
    const std::size_t count = std::min(buffer.size(), current_.size - offset_);
    std::memcpy(buffer.data(), current_.piece.get() + offset_, count);
    offset_ += count;
    return count;
  }

 private:
  // False at the end.
  bool take() {
    if (current_.piece) passage_->give_back(std::move(current_.piece));
    current_ = {};
    offset_ = 0;
    if (taken_ == passage_->descriptor_.size) {
      verify();
      return false;
    }
    current_ = passage_->take(stop_);
    taken_ += current_.size;
    hash_.update(io::Bytes(current_.piece.get(), current_.size));
    return true;
  }

  void verify() {
    if (std::exchange(verified_, true)) return;
    const Digest digest = Digest::from(hash_.finish());
    if (digest == passage_->descriptor_.digest) return;
    throw io::Error(io::ErrorKind::integrity,
                    fmt::format("blob {}: the bytes have digest {}", passage_->descriptor_.digest.text(), digest.text()));
  }

  PassagePtr passage_;
  const std::atomic<bool>* stop_;
  Filled current_;
  std::size_t offset_ = 0;  // in current_
  std::uint64_t taken_ = 0;
  io::Sha256 hash_;
  bool verified_ = false;
};

Passage::Passage(const io::Executor& executor, Descriptor descriptor)
    : descriptor_(std::move(descriptor)), executor_(executor), room_changed_(executor) {}

io::Task<io::MutableBytes> Passage::room() {
  while (!filling_) {
    {
      const std::lock_guard lock(mutex_);
      if (left_) co_return io::MutableBytes();
      if (!free_.empty()) {
        filling_ = std::move(free_.back());
        free_.pop_back();
      } else if (made_ < pieces) {
        filling_ = std::make_unique_for_overwrite<std::byte[]>(piece_size);
        ++made_;
      }
    }
    if (!filling_) co_await room_changed_.wait();
  }
  co_return io::MutableBytes(filling_.get(), piece_size);
}

void Passage::commit(std::size_t size) {
  {
    const std::lock_guard lock(mutex_);
    filled_.push_back({std::move(filling_), size});
  }
  filled_or_failed_.notify_one();
}

void Passage::fail(std::exception_ptr error) {
  {
    const std::lock_guard lock(mutex_);
    if (!error_) error_ = std::move(error);
  }
  filled_or_failed_.notify_one();
}

std::unique_ptr<io::ByteSource> Passage::open(const std::atomic<bool>* stop) {
  {
    const std::lock_guard lock(mutex_);
    opened_ = std::chrono::steady_clock::now();
  }
  asio::post(executor_, [self = shared_from_this()] {
    if (const auto start = std::exchange(self->start_, nullptr)) start();
  });
  return std::make_unique<Source>(shared_from_this(), stop);
}

bool Passage::opened() const {
  const std::lock_guard lock(mutex_);
  return opened_.has_value();
}

bool Passage::starved() const {
  const std::lock_guard lock(mutex_);
  if (!opened_) return false;
  const auto open_for = std::chrono::steady_clock::now() - *opened_;
  return open_for >= std::chrono::milliseconds(200) && waited_ > open_for / 2;
}

Passage::Filled Passage::take(const std::atomic<bool>* stop) {
  using namespace std::chrono_literals;
  std::unique_lock lock(mutex_);
  while (filled_.empty()) {
    if (error_) std::rethrow_exception(error_);
    if (stop && *stop) throw io::Error(io::ErrorKind::cancelled, "cancelled");
    const auto began = std::chrono::steady_clock::now();
    filled_or_failed_.wait_for(lock, 50ms);
    waited_ += std::chrono::steady_clock::now() - began;
  }
  Filled filled = std::move(filled_.front());
  filled_.pop_front();
  return filled;
}

void Passage::give_back(Piece piece) {
  {
    const std::lock_guard lock(mutex_);
    free_.push_back(std::move(piece));
  }
  announce_room();
}

void Passage::leave() {
  {
    const std::lock_guard lock(mutex_);
    left_ = true;
    filled_.clear();
    free_.clear();
  }
  announce_room();
}

void Passage::announce_room() {
  asio::post(executor_, [self = shared_from_this()] { self->room_changed_.notify_all(); });
}

}  // namespace kiln::oci
