#include "engine/cache/file_hashes.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <functional>

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "io/base/error.hpp"
#include "io/file/open_beneath.hpp"
#include "io/file/page_cache.hpp"
#include "io/loop/notify.hpp"
#include "io/loop/task_group.hpp"

namespace kiln::engine {

namespace {

using io::Task;

constexpr std::size_t buffer_size = 128U << 10U;
constexpr std::size_t batch_bytes = 8U << 20U;
constexpr std::size_t batch_files = 1024;
constexpr std::size_t largest_in_batch = batch_bytes / 8;
constexpr std::size_t sample_size = 32;
constexpr int lanes = 2;  // one is read while the other is hashed

[[noreturn]] void fail(int error, const HashedFile& file) {
  io::throw_errno(error, fmt::format("reading '{}' for its cache key", file.content.path));
}

bool is_another(const DiskStamp& then, const struct stat& now) {
  const std::int64_t ctime = now.st_ctim.tv_sec * 1'000'000'000LL + now.st_ctim.tv_nsec;
  return then.inode != now.st_ino || then.ctime_ns != ctime || then.size != static_cast<std::uint64_t>(now.st_size);
}

// What a thread has for one file after the other.
struct HashTools {
  std::vector<std::byte> buffer = std::vector<std::byte>(buffer_size);
  io::NeighbourOpener opener;
};

// One with a stamp is read as far as its size: whether it went on shows in the stamp.
void hash_one(HashedFile& file, HashTools& tools) {
  if (file.content.inline_bytes) {
    file.hash = io::sha256(io::as_bytes(file.content.inline_bytes->bytes));
    return;
  }
  if (!file.content.directory) {
    throw io::Error(io::ErrorKind::internal, fmt::format("'{}' has no bytes to be hashed", file.content.path));
  }
  const io::UniqueFd fd = tools.opener.open(file.content.directory->directory.get(), file.content.path, O_RDONLY | O_NONBLOCK);
  if (!fd) fail(errno, file);
  const bool stamped = file.stamp.on_disk();
  io::Sha256 hash;
  for (std::uint64_t at = 0; !stamped || at < file.size;) {
    const ssize_t count = read(fd.get(), tools.buffer.data(), tools.buffer.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) fail(errno, file);
    if (count == 0) break;
    hash.update(io::Bytes(tools.buffer).first(static_cast<std::size_t>(count)));
    at += static_cast<std::uint64_t>(count);
  }
  file.hash = hash.finish();
  struct stat status{};
  if (stamped && fstat(fd.get(), &status) != 0) fail(errno, file);
  file.changed = stamped && is_another(file.stamp, status);
}

Task<void> run_share(io::Runtime& runtime, std::function<void()> share) { co_await io::offload(runtime.cpu(), share); }

// Calls `work` with each of `files`, on all cores.
using Work = std::function<void(HashedFile& file, HashTools& tools)>;
Task<void> for_each_file(io::Runtime& runtime, const std::vector<HashedFile*>& files, Work work) {
  std::atomic<std::size_t> next = 0;
  const std::function<void()> share = [&] {
    HashTools tools;
    for (std::size_t i = next++; i < files.size(); i = next++) work(*files[i], tools);
  };
  io::TaskGroup group(runtime.executor());
  for (unsigned i = 0; i < std::min<std::size_t>(runtime.cpu().size(), files.size()); ++i) group.spawn(run_share(runtime, share));
  co_await group.join();
}

bool mostly_cold(const std::vector<HashedFile*>& files) {
  std::size_t cold = 0;
  const std::size_t step = std::max<std::size_t>(files.size() / sample_size, 1);
  for (std::size_t i = 0; i < files.size(); i += step) {
    const Content& content = files[i]->content;
    cold += content.directory && io::is_cold(content.directory->directory.get(), content.path) ? 1 : 0;
  }
  return cold * 2 > files.size() / step;
}

// -- through a ring ---------------------------------------------------------------------------------------------------

// Files that fit into one buffer together.
struct Batch {
  std::vector<std::byte> bytes;
  std::vector<io::ReadPiece> pieces;
  std::vector<HashedFile*> files;
};

// What two lanes share.
struct RingHash {
  RingHash(io::Runtime& the_runtime, io::FileReader& the_reader, std::vector<HashedFile*> small)
      : runtime(the_runtime), reader(the_reader), files(std::move(small)), read(the_runtime.executor()) {}
  io::Runtime& runtime;
  io::FileReader& reader;
  std::vector<HashedFile*> files;
  std::size_t next = 0;
  bool reading = false;
  io::Notify read;
};

Batch next_batch(RingHash& state) {
  Batch batch;
  batch.bytes.resize(batch_bytes);
  std::size_t used = 0;
  for (; state.next < state.files.size() && batch.files.size() < batch_files; ++state.next) {
    HashedFile& file = *state.files[state.next];
    // A byte more than it should have tells of one that has grown.
    const std::size_t size = file.size + 1;
    if (used + size > batch.bytes.size()) break;
    io::ReadPiece piece;
    piece.directory = file.content.directory->directory.get();
    piece.path = file.content.path;
    piece.target = io::MutableBytes(batch.bytes).subspan(used, size);
    batch.pieces.push_back(std::move(piece));
    batch.files.push_back(&file);
    used += size;
  }
  return batch;
}

void hash_piece(const io::ReadPiece& piece, HashedFile& file) {
  if (piece.error != 0) fail(piece.error, file);
  file.hash = io::sha256(piece.target.first(piece.read));
  struct stat status{};
  if (fstatat(piece.directory, piece.path.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0) fail(errno, file);
  file.changed = piece.read != file.size || (file.stamp.on_disk() && is_another(file.stamp, status));
}

Task<void> run_lane(RingHash& state) {
  while (state.next < state.files.size()) {
    const auto lease = co_await state.runtime.budget().acquire(batch_bytes);
    while (state.reading) co_await state.read.wait();
    Batch batch = next_batch(state);
    state.reading = true;
    co_await state.reader.read_all(batch.pieces);
    state.reading = false;
    state.read.notify_all();
    const Work work = [&batch](HashedFile& file, HashTools&) {
      const auto number = std::ranges::lower_bound(batch.files, &file) - batch.files.begin();
      hash_piece(batch.pieces[static_cast<std::size_t>(number)], file);
    };
    co_await for_each_file(state.runtime, batch.files, work);
  }
}

Task<void> hash_through(io::Runtime& runtime, io::FileReader& reader, const std::vector<HashedFile*>& files) {
  std::vector<HashedFile*> small;
  std::vector<HashedFile*> others;
  for (HashedFile* file : files) {
    const bool fits = file->content.directory && file->size < largest_in_batch;
    (fits ? small : others).push_back(file);
  }
  RingHash state(runtime, reader, std::move(small));
  io::TaskGroup group(runtime.executor());
  for (int lane = 0; lane < lanes; ++lane) group.spawn(run_lane(state));
  co_await group.join();
  co_await for_each_file(runtime, others, hash_one);
}

}  // namespace

Task<void> hash_files(io::Runtime& runtime, std::vector<HashedFile>& files, io::ReaderChoice choice) {
  if (files.empty()) co_return;
  std::vector<HashedFile*> all;
  for (auto& file : files) all.push_back(&file);
  const bool cold = choice == io::ReaderChoice::ring || (choice == io::ReaderChoice::automatic && mostly_cold(all));
  const std::unique_ptr<io::FileReader> ring = cold ? io::make_ring_reader(runtime) : nullptr;
  if (ring) {
    spdlog::debug("{} files are hashed through io_uring, as they are not in memory", files.size());
    co_await hash_through(runtime, *ring, all);
  } else {
    co_await for_each_file(runtime, all, hash_one);
  }
}

}  // namespace kiln::engine
