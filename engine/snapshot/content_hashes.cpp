#include "engine/snapshot/content_hashes.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <functional>

#include <spdlog/spdlog.h>

#include "io/file/open_beneath.hpp"
#include "io/file/page_cache.hpp"
#include "io/loop/task_group.hpp"

namespace kiln::engine {

namespace {

using io::Task;
using io::Xxh128Value;

constexpr std::size_t batch_bytes = 8U << 20U;
constexpr std::size_t batch_files = 1024;
constexpr std::size_t sample_size = 32;

Xxh128Value hash_file(int root, const std::string& path) {
  io::Xxh128 hash;
  const io::UniqueFd file = io::open_beneath(root, path, O_RDONLY | O_NONBLOCK);
  std::vector<std::byte> buffer(128U << 10U);
  while (file) {
    const ssize_t count = read(file.get(), buffer.data(), buffer.size());
    if (count <= 0) break;
    hash.update(io::Bytes(buffer).first(static_cast<std::size_t>(count)));
  }
  return hash.finish();
}

bool mostly_cold(int root, const std::vector<DiskEntry>& files) {
  std::size_t cold = 0;
  const std::size_t step = std::max<std::size_t>(files.size() / sample_size, 1);
  for (std::size_t i = 0; i < files.size(); i += step) cold += io::is_cold(root, files[i].path) ? 1 : 0;
  return cold * 2 > files.size() / step;
}

Task<void> run_share(io::Runtime& runtime, std::function<void()> share) { co_await io::offload(runtime.cpu(), share); }

// Calls `work` with every number below `count`, on all threads.
Task<void> for_each_number(io::Runtime& runtime, std::size_t count, const std::function<void(std::size_t)>& work) {
  std::atomic<std::size_t> next = 0;
  const std::function<void()> share = [&] {
    for (std::size_t i = next++; i < count; i = next++) work(i);
  };
  io::TaskGroup group(runtime.executor());
  for (unsigned i = 0; i < runtime.cpu().size(); ++i) group.spawn(run_share(runtime, share));
  co_await group.join();
}

// Files of one batch, which fit into one buffer together.
struct Batch {
  std::vector<std::byte> bytes;
  std::vector<io::ReadPiece> pieces;
  std::vector<std::size_t> numbers;  // of the files
};

// Takes files from number `next` on; large ones are left out for somebody else.
Batch next_batch(int root, const std::vector<DiskEntry>& files, std::size_t& next, std::vector<std::size_t>& large) {
  Batch batch;
  batch.bytes.resize(batch_bytes);
  std::size_t used = 0;
  for (; next < files.size() && batch.pieces.size() < batch_files; ++next) {
    const std::size_t size = files[next].stamp.size;
    if (size > batch_bytes / 8) {
      large.push_back(next);
      continue;
    }
    if (used + size > batch.bytes.size()) break;
    io::ReadPiece piece;
    piece.directory = root;
    piece.path = files[next].path;
    piece.target = io::MutableBytes(batch.bytes).subspan(used, size);
    batch.pieces.push_back(std::move(piece));
    batch.numbers.push_back(next);
    used += size;
  }
  return batch;
}

Task<void> hash_through(io::FileReader& reader, io::Runtime& runtime, int root, const std::vector<DiskEntry>& files,
                        std::vector<Xxh128Value>& values) {
  std::vector<std::size_t> large;
  for (std::size_t next = 0; next < files.size();) {
    const auto lease = co_await runtime.budget().acquire(batch_bytes);
    Batch batch = next_batch(root, files, next, large);
    co_await reader.read_all(batch.pieces);
    const std::function<void(std::size_t)> hash_piece = [&](std::size_t i) {
      io::Xxh128 hash;
      hash.update(batch.pieces[i].target.first(batch.pieces[i].read));
      values[batch.numbers[i]] = hash.finish();
    };
    co_await for_each_number(runtime, batch.pieces.size(), hash_piece);
  }
  const std::function<void(std::size_t)> hash_large = [&](std::size_t i) {
    values[large[i]] = hash_file(root, files[large[i]].path);
  };
  co_await for_each_number(runtime, large.size(), hash_large);
}

}  // namespace

Task<std::vector<Xxh128Value>> hash_contents(io::Runtime& runtime, int root, const std::vector<DiskEntry>& files,
                                             io::ReaderChoice choice) {
  std::vector<Xxh128Value> values(files.size());
  const bool cold = choice == io::ReaderChoice::ring || (choice == io::ReaderChoice::automatic && mostly_cold(root, files));
  const std::unique_ptr<io::FileReader> ring = cold ? io::make_ring_reader(runtime) : nullptr;
  spdlog::debug("contents are hashed {}", ring ? "through io_uring, as they are not in the page cache" : "on threads");
  if (ring) {
    co_await hash_through(*ring, runtime, root, files, values);
  } else {
    const std::function<void(std::size_t)> hash_one = [&](std::size_t i) { values[i] = hash_file(root, files[i].path); };
    co_await for_each_number(runtime, files.size(), hash_one);
  }
  co_return values;
}

}  // namespace kiln::engine
