// A blob's bytes on their way through memory.
//
// What only an unpacker reads need not go to the spool: there every byte costs its share of a page, one copy in and two out.
// One producer on the loop thread and one consumer on a pool thread share a few pieces, and whoever is faster waits. The
// consumer computes the digest as it takes the pieces.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <deque>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "io/base/bytes.hpp"
#include "io/codec/decompress.hpp"
#include "io/loop/notify.hpp"
#include "oci/image/manifest.hpp"

namespace kiln::oci {

class Passage : public std::enable_shared_from_this<Passage> {
 public:
  static constexpr std::size_t piece_size = 512U << 10U;  // bytes
  static constexpr unsigned pieces = 8;

  // For the blob with this digest and size.
  Passage(const io::Executor& executor, Descriptor descriptor);

  // What makes a producer come: called once, on the loop thread, when the passage is opened.
  void start_with(std::function<void()> start) { start_ = std::move(start); }

  // -- producer, loop thread ---------------------------------------------------------------------------------------
  // Where the next bytes go, at most piece_size of them: waits until there is room. Empty: the consumer has gone.
  io::Task<io::MutableBytes> room();
  // What room() gave begins with `size` bytes of the blob.
  void commit(std::size_t size);
  void fail(std::exception_ptr error);

  // -- consumer, a pool thread that may wait -----------------------------------------------------------------------
  // The bytes, once. read() throws what fail() was given, Error(integrity) at the end when the digest is another, and
  // Error(cancelled) when `stop` (may be null) is set while it waits.
  std::unique_ptr<io::ByteSource> open(const std::atomic<bool>* stop);
  // Any thread.
  bool opened() const;
  // Has the consumer been waiting for most of the time since it opened the passage, and for a while?
  bool starved() const;

 private:
  class Source;
  using Piece = std::unique_ptr<std::byte[]>;
  struct Filled {
    Piece piece;
    std::size_t size = 0;
  };

  Filled take(const std::atomic<bool>* stop);
  void give_back(Piece piece);
  void leave();
  void announce_room();

  const Descriptor descriptor_;
  const io::Executor executor_;
  std::function<void()> start_;
  Piece filling_;  // the producer's
  mutable std::mutex mutex_;
  std::condition_variable filled_or_failed_;
  std::deque<Filled> filled_;  // guarded by mutex_, as are the following
  std::vector<Piece> free_;
  unsigned made_ = 0;  // pieces
  std::optional<std::chrono::steady_clock::time_point> opened_;
  std::chrono::steady_clock::duration waited_{};  // the consumer has
  bool left_ = false;                             // the consumer has gone
  std::exception_ptr error_;
  io::Notify room_changed_;  // loop thread
};

using PassagePtr = std::shared_ptr<Passage>;

}  // namespace kiln::oci
