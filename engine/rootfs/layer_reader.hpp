// One layer's entries, read ahead of the layer's turn.
#pragma once

#include <atomic>
#include <condition_variable>
#include <deque>
#include <exception>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>

#include "engine/rootfs/layer_input.hpp"
#include "engine/rootfs/staged_files.hpp"
#include "io/codec/decompress.hpp"
#include "oci/tar/reader.hpp"

namespace kiln::engine {

// The decompressed bytes of a layer that may still be growing, inflated on a thread of its own a few buffers ahead.
std::unique_ptr<io::ByteSource> open_layer(std::shared_ptr<io::ByteSource> input, const std::atomic<bool>* stop);

// Layers have to be applied in order, and inflating one keeps a single core busy. So the next ones are read meanwhile, on a
// thread each: entries into a list of bounded length, contents into staged files. Only the order of names waits, and nothing
// of the rules of layers is known here. From take_over() on, the caller gets the list and then the rest of the archive.
class LayerReader {
 public:
  // Both are borrowed. When `stop` is set, whatever waits for bytes ends with Error(cancelled).
  LayerReader(const LayerInput& input, const std::atomic<bool>* stop);
  ~LayerReader();
  LayerReader(const LayerReader&) = delete;
  LayerReader& operator=(const LayerReader&) = delete;

  // Begins to read ahead. Without `files` contents are left out. At most once, and before take_over().
  void start_ahead(std::unique_ptr<StagedFiles> files);
  // Ends reading ahead, after the entry that it is at. The following calls are for afterwards, and for one thread.
  void take_over();

  // The next entry in the archive's order; nothing at the end. Errors of the layer come out in their place.
  std::optional<oci::TarEntry> next();
  // Where the content of the regular file that next() gave is: in a staged file, or (null) next in archive().
  const StagedFile* staged() const noexcept { return current_.file.directory ? &current_.file : nullptr; }
  oci::TarReader& archive();

  // After an error: reads the rest of the blob, and throws the download's error if it is not what it should be. Bytes that make
  // no sense are most often bytes that are not the layer's. Nothing else may be called afterwards.
  void await_verdict();

 private:
  struct Ahead {
    oci::TarEntry entry;
    StagedFile file;  // no directory: not staged
  };

  void read_ahead(StagedFiles* files);
  Ahead read_entry(oci::TarEntry entry, StagedFiles* files);
  bool may_go_on();
  std::optional<oci::TarEntry> next_in_archive();

  std::shared_ptr<const Tree> times_;  // null: those of the archive
  std::shared_ptr<io::ByteSource> input_;
  std::unique_ptr<io::ByteSource> source_;
  std::optional<oci::TarReader> archive_;  // opened by its first user, because opening waits for bytes
  Ahead current_;
  // The thread's until it is joined, then the caller's.
  std::deque<Ahead> ahead_;
  bool ended_ = false;  // all of the archive is in ahead_
  std::exception_ptr failure_;

  std::mutex mutex_;
  std::condition_variable changed_;
  bool taken_over_ = false;  // guarded by mutex_
  std::thread thread_;
};

}  // namespace kiln::engine
