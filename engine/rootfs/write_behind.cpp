#include "engine/rootfs/write_behind.hpp"

#include <algorithm>
#include <utility>

#include "engine/rootfs/content_copy.hpp"

namespace kiln::engine {

namespace {

constexpr std::size_t batch_bytes = 512U << 10U;
constexpr std::size_t batch_items = 64;
constexpr std::size_t queued_batches = 8;

}  // namespace

WriteBehind::WriteBehind(EntryWriter& entries, unsigned threads) : entries_(entries) {
  for (unsigned i = 0; i < std::max(threads, 1U); ++i) threads_.emplace_back([this] { run(); });
}

WriteBehind::~WriteBehind() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    queue_.clear();
  }
  changed_.notify_all();
  for (auto& thread : threads_) thread.join();
}

io::MutableBytes WriteBehind::add(DirectoryHandle parent, const std::string& path, const Node& node) {
  const std::size_t size = node.type == FileType::regular ? node.size : 0;
  if (filling_ && (filling_->items.size() == batch_items || filling_->bytes.size() + size > batch_bytes)) {
    std::unique_lock lock(mutex_);
    submit(lock);
  }
  if (!filling_) {
    std::unique_lock lock(mutex_);
    filling_ = fresh_batch(lock);
  }
  auto& bytes = filling_->bytes;
  const std::size_t offset = bytes.size();
  bytes.resize(offset + size);
  filling_->items.push_back({std::move(parent), path, node, offset});
  return io::MutableBytes(bytes).subspan(offset);
}

void WriteBehind::submit(std::unique_lock<std::mutex>& lock) {
  changed_.wait(lock, [this] { return queue_.size() < queued_batches || failure_; });
  throw_failure(lock);
  queue_.push_back(std::move(filling_));
  changed_.notify_all();
}

WriteBehind::BatchPtr WriteBehind::fresh_batch(std::unique_lock<std::mutex>& lock) {
  throw_failure(lock);
  if (free_.empty()) {
    auto batch = std::make_unique<Batch>();
    batch->bytes.reserve(batch_bytes);
    return batch;
  }
  BatchPtr batch = std::move(free_.back());
  free_.pop_back();
  return batch;
}

void WriteBehind::throw_failure(std::unique_lock<std::mutex>&) {
  if (failure_) std::rethrow_exception(failure_);
}

std::vector<WriteBehind::Written> WriteBehind::drain() {
  std::unique_lock lock(mutex_);
  if (filling_) submit(lock);
  changed_.wait(lock, [this] { return (queue_.empty() && busy_ == 0) || failure_; });
  throw_failure(lock);
  return std::exchange(written_, {});
}

void WriteBehind::run() {
  std::unique_lock lock(mutex_);
  while (true) {
    changed_.wait(lock, [this] { return !queue_.empty() || stopping_; });
    if (stopping_) return;
    BatchPtr batch = std::move(queue_.front());
    queue_.pop_front();
    ++busy_;
    changed_.notify_all();
    lock.unlock();
    std::exception_ptr failure;
    try {
      write(*batch);
    } catch (...) {
      failure = std::current_exception();
    }
    lock.lock();
    --busy_;
    if (failure && !failure_) failure_ = failure;
    for (auto& item : batch->items) written_.push_back({std::move(item.path), item.node.stamp});
    batch->items.clear();
    batch->bytes.clear();
    free_.push_back(std::move(batch));
    changed_.notify_all();
  }
}

void WriteBehind::write(Batch& batch) {
  for (Item& item : batch.items) {
    const auto content = [&](int file) {
      write_at(file, 0, io::Bytes(batch.bytes).subspan(item.offset, item.node.size), item.path);
    };
    entries_.put(item.parent->get(), item.path, item.node, content);
  }
}

}  // namespace kiln::engine
