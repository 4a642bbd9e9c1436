#include "oci/blob/spool.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <utility>

#include <asio/post.hpp>
#include <fmt/format.h>

#include "io/base/error.hpp"

namespace kiln::oci {

namespace {

io::UniqueFd open_unnamed(const std::string& directory) {
  io::UniqueFd file(open(directory.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600));
  if (file) return file;
  std::string name = directory + "/blob-XXXXXX";
  file = io::UniqueFd(mkostemp(name.data(), O_CLOEXEC));
  if (!file) io::throw_errno(errno, fmt::format("making a spool file in '{}'", directory));
  unlink(name.c_str());
  return file;
}

// Reads from the start and waits for what is still to come.
class Follower final : public io::ByteSource {
 public:
  Follower(const SpoolBlob& blob, const std::function<void(std::uint64_t)>& wait) : blob_(blob), wait_(wait) {}
  std::size_t read(io::MutableBytes buffer) override {
    wait_(offset_);
    const std::size_t count = blob_.read_at(offset_, buffer);
    offset_ += count;
    return count;
  }

 private:
  const SpoolBlob& blob_;
  std::function<void(std::uint64_t)> wait_;
  std::uint64_t offset_ = 0;
};

}  // namespace

SpoolBlob::SpoolBlob(const io::Executor& executor, const std::string& directory)
    : executor_(executor), file_(open_unnamed(directory)), changed_(executor) {}

void SpoolBlob::write_at(std::uint64_t offset, io::Bytes bytes) {
  for (std::size_t done = 0; done < bytes.size();) {
    const ssize_t count = pwrite(file_.get(), bytes.data() + done, bytes.size() - done, static_cast<off_t>(offset + done));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) io::throw_errno(errno, "writing to the spool (is the disk of the work directory full?)");
    done += static_cast<std::size_t>(count);
  }
  const std::lock_guard lock(mutex_);
  ahead_.push_back({offset, offset + bytes.size()});
  std::sort(ahead_.begin(), ahead_.end(), [](const Range& a, const Range& b) { return a.begin < b.begin; });
  std::size_t joined = 0;
  while (joined < ahead_.size() && ahead_[joined].begin <= available_) {
    available_ = std::max(available_, ahead_[joined].end);
    ++joined;
  }
  ahead_.erase(ahead_.begin(), ahead_.begin() + static_cast<std::ptrdiff_t>(joined));
  // Neighbours become one, so that a download in ranges keeps as many entries as it has ranges.
  std::vector<Range> merged;
  for (const Range& range : ahead_) {
    if (!merged.empty() && merged.back().end >= range.begin) {
      merged.back().end = std::max(merged.back().end, range.end);
    } else {
      merged.push_back(range);
    }
  }
  ahead_ = std::move(merged);
  if (joined > 0) grown_.notify_all();
}

void SpoolBlob::append(io::Bytes bytes) {
  if (!bytes.empty()) write_at(available(), bytes);
}

void SpoolBlob::complete(Digest digest) {
  {
    const std::lock_guard lock(mutex_);
    completed_ = true;
    digest_ = std::move(digest);
  }
  grown_.notify_all();
  changed_.notify_all();
}

void SpoolBlob::adopt(io::UniqueFd file, Digest digest, std::uint64_t size) {
  {
    const std::lock_guard lock(mutex_);
    file_ = std::move(file);
    available_ = size;
  }
  complete(std::move(digest));
}

void SpoolBlob::fail(std::exception_ptr error) {
  {
    const std::lock_guard lock(mutex_);
    if (!error_) error_ = std::move(error);
  }
  grown_.notify_all();
  changed_.notify_all();
}

void SpoolBlob::announce() { changed_.notify_all(); }

void SpoolBlob::start_with(std::function<void()> start) {
  const std::lock_guard lock(mutex_);
  start_ = std::move(start);
}

void SpoolBlob::want() {
  std::function<void()> start;
  {
    const std::lock_guard lock(mutex_);
    start = std::exchange(start_, nullptr);
  }
  if (start) start();
}

bool SpoolBlob::wanted() const {
  const std::lock_guard lock(mutex_);
  return !start_;
}

void SpoolBlob::want_from_pool() const {
  const std::lock_guard lock(mutex_);
  if (start_) asio::post(executor_, std::exchange(start_, nullptr));
}

std::uint64_t SpoolBlob::available() const {
  const std::lock_guard lock(mutex_);
  return available_;
}

bool SpoolBlob::completed() const {
  const std::lock_guard lock(mutex_);
  return completed_;
}

io::Task<void> SpoolBlob::wait_beyond(std::uint64_t offset) {
  want();
  while (true) {
    {
      const std::lock_guard lock(mutex_);
      if (error_) std::rethrow_exception(error_);
      if (completed_ || available_ > offset) co_return;
    }
    co_await changed_.wait();
  }
}

io::Task<void> SpoolBlob::wait_complete() {
  want();
  while (true) {
    {
      const std::lock_guard lock(mutex_);
      if (error_) std::rethrow_exception(error_);
      if (completed_) co_return;
    }
    co_await changed_.wait();
  }
}

std::size_t SpoolBlob::read_at(std::uint64_t offset, io::MutableBytes buffer) const {
  const std::uint64_t there = available();
  if (offset >= there) return 0;
  const std::size_t wanted = static_cast<std::size_t>(std::min<std::uint64_t>(buffer.size(), there - offset));
  while (true) {
    const ssize_t count = pread(file_.get(), buffer.data(), wanted, static_cast<off_t>(offset));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) io::throw_errno(errno, "reading from the spool");
    return static_cast<std::size_t>(count);
  }
}

std::unique_ptr<io::ByteSource> SpoolBlob::follow(const std::atomic<bool>* stop) const {
  want_from_pool();
  const auto wait = [this, stop](std::uint64_t offset) {
    using namespace std::chrono_literals;
    std::unique_lock lock(mutex_);
    while (true) {
      if (error_) std::rethrow_exception(error_);
      if (completed_ || available_ > offset) return;
      if (stop && *stop) throw io::Error(io::ErrorKind::cancelled, "cancelled");
      grown_.wait_for(lock, 50ms);
    }
  };
  return std::make_unique<Follower>(*this, wait);
}

const Digest& SpoolBlob::digest() const { return digest_; }
std::uint64_t SpoolBlob::size() const { return available(); }

}  // namespace kiln::oci
