// A blob on its way: bytes in an unnamed file of the spool directory, readable while they still come in.
//
// One producer (a download, or a layer being compressed) writes; any number of consumers follow: coroutines (an upload)
// and plain functions on pool threads (a decoder). `available` is the length of the contiguous prefix that is there, so
// that a download in ranges may fill the file out of order. The file lives as long as somebody holds the blob.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "io/base/bytes.hpp"
#include "io/base/fd.hpp"
#include "io/codec/decompress.hpp"
#include "io/loop/notify.hpp"
#include "oci/image/digest.hpp"
#include "oci/image/manifest.hpp"

namespace kiln::oci {

class SpoolBlob {
 public:
  // An unnamed file (O_TMPFILE, else unlinked) in `directory`.
  SpoolBlob(const io::Executor& executor, const std::string& directory);

  // -- producer, loop thread or pool thread ------------------------------------------------------------------------
  // Writes at `offset` and, when this extends the contiguous prefix, wakes the consumers. Any thread.
  void write_at(std::uint64_t offset, io::Bytes bytes);
  void append(io::Bytes bytes);  // one producer at a time; any thread
  // Loop thread only, each once: the blob is whole (its digest and size are final), or it never will be.
  void complete(Digest digest);
  void fail(std::exception_ptr error);
  // Instead of all these: the blob is `file`, which has this digest and size. For a blob that is empty yet.
  void adopt(io::UniqueFd file, Digest digest, std::uint64_t size);
  // Loop thread: tells waiting coroutines about what pool threads have written.
  void announce();
  // For a blob that may never be wanted: `start` makes a producer come. Called once, on the loop thread.
  void start_with(std::function<void()> start);

  // -- consumers --------------------------------------------------------------------------------------------------
  // Loop thread: has the producer come now. Whoever waits for bytes does so, too.
  void want();
  // Any thread: has a producer come, or been called?
  bool wanted() const;
  std::uint64_t available() const;
  bool completed() const;
  // Loop thread: waits until more than `offset` bytes are there or the blob is complete; rethrows a failure.
  io::Task<void> wait_beyond(std::uint64_t offset);
  io::Task<void> wait_complete();
  // Any thread: bytes that are there; 0 means "not yet" or the end.
  std::size_t read_at(std::uint64_t offset, io::MutableBytes buffer) const;
  // For a pool thread that may wait: reads from the start, blocks for bytes to come, 0 at the end of a complete blob,
  // throws what fail() was given. `stop` (may be null) is polled while waiting; set, it throws Error(cancelled).
  std::unique_ptr<io::ByteSource> follow(const std::atomic<bool>* stop = nullptr) const;

  // After complete().
  const Digest& digest() const;
  std::uint64_t size() const;  // after complete()

 private:
  struct Range {
    std::uint64_t begin, end;
  };
  void want_from_pool() const;

  const io::Executor executor_;
  io::UniqueFd file_;  // replaced by adopt(), before anybody has found bytes to read
  mutable std::mutex mutex_;
  mutable std::condition_variable grown_;
  std::uint64_t available_ = 0;          // guarded by mutex_
  std::vector<Range> ahead_;             // guarded by mutex_: written beyond `available_`, sorted, not touching
  bool completed_ = false;               // guarded by mutex_
  std::exception_ptr error_;             // guarded by mutex_
  Digest digest_;                        // guarded by mutex_
  mutable std::function<void()> start_;  // guarded by mutex_
  io::Notify changed_;                   // loop thread
};

using SpoolBlobPtr = std::shared_ptr<SpoolBlob>;

}  // namespace kiln::oci
