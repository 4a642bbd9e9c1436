// Small files and links put on disk by a few threads, beside the one that reads the archive.
//
// Making a file costs several system calls whatever its size, and a base image has tens of thousands of small ones. They
// are collected, content included, in batches: a batch is mostly one directory, so that two threads seldom wait for the
// same directory's lock. At most `queued_batches` batches of `batch_bytes` wait; then add() does.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <exception>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "engine/rootfs/disk_writer.hpp"
#include "io/base/bytes.hpp"

namespace kiln::engine {

class WriteBehind {
 public:
  static constexpr std::size_t largest_file = 256U << 10U;  // bytes

  // `entries` is borrowed.
  WriteBehind(EntryWriter& entries, unsigned threads);
  ~WriteBehind();  // what has not been begun is dropped
  WriteBehind(const WriteBehind&) = delete;
  WriteBehind& operator=(const WriteBehind&) = delete;

  // Takes an entry that is not a directory and whose path is new; a regular file has at most `largest_file` bytes. Gives the
  // place for its content, node.size zeros, to be filled before the next call. Errors of entries before come out here.
  io::MutableBytes add(DirectoryHandle parent, const std::string& path, const Node& node);

  struct Written {
    std::string path;
    DiskStamp stamp;
  };
  // Waits until all that was added is on disk; gives what was written since the last time. Throws the first error.
  std::vector<Written> drain();

 private:
  struct Item {
    DirectoryHandle parent;
    std::string path;
    Node node;
    std::size_t offset;  // of its content in the batch
  };
  struct Batch {
    std::vector<Item> items;
    std::vector<std::byte> bytes;
  };
  using BatchPtr = std::unique_ptr<Batch>;

  void run();
  void write(Batch& batch);
  void submit(std::unique_lock<std::mutex>& lock);
  BatchPtr fresh_batch(std::unique_lock<std::mutex>& lock);
  void throw_failure(std::unique_lock<std::mutex>& lock);

  EntryWriter& entries_;
  BatchPtr filling_;  // add()'s
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<BatchPtr> queue_;  // guarded by mutex_, as are the following
  std::vector<BatchPtr> free_;
  std::vector<Written> written_;
  std::exception_ptr failure_;
  unsigned busy_ = 0;
  bool stopping_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace kiln::engine
