#include "engine/capture/layer_writer.hpp"

#include <algorithm>
#include <cstring>
#include <deque>
#include <memory>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "engine/capture/tar_layout.hpp"
#include "io/base/error.hpp"
#include "io/codec/digest.hpp"
#include "io/loop/task_group.hpp"
#include "oci/tar/writer.hpp"

namespace kiln::engine {

namespace {

using io::Task;

// A piece of the tar stream, and the reads that are still to fill parts of it. Its memory is used again for a later piece.
struct Block {
  std::vector<std::byte> bytes;
  std::vector<std::byte> compressed;
  std::vector<io::ReadPiece> pieces;
  io::ByteBudget::Lease lease;
  bool last = false;
};

// Cuts the tar stream into blocks.
class BlockFiller {
 public:
  BlockFiller(Tree tree, Changes changes, LayerSettings settings) : layout_(std::move(tree), std::move(changes), settings) {}

  // Fills one block: headers and inline contents at once, file contents as pieces to be read.
  void fill(Block& block) {
    block.bytes.resize(io::compression_block_size);
    std::size_t used = 0;
    while (used < block.bytes.size() && !block.last) {
      if (phase_ == Phase::header) {
        used += copy_header(block, used);
      } else if (phase_ == Phase::content) {
        used += place_content(block, used);
      } else if (phase_ == Phase::zeros) {
        used += place_zeros(block, used);
      } else {
        block.last = true;
      }
      advance();
    }
    if (phase_ == Phase::done) block.last = true;
    block.bytes.resize(used);
    tar_size_ += used;
  }

  std::uint64_t tar_size() const noexcept { return tar_size_; }
  std::uint64_t entries() const noexcept { return layout_.entries(); }

 private:
  enum class Phase { header, content, zeros, done };

  // Leaves a phase whose bytes are all placed; takes the next entry, then the end of the archive.
  void advance() {
    if (phase_ == Phase::header && offset_ == entry_.header.size()) enter(Phase::content, entry_.content_size);
    if (phase_ == Phase::content && offset_ == entry_.content_size) {
      enter(Phase::zeros, oci::tar_padding(entry_.content_size));
    }
    while (phase_ == Phase::zeros && offset_ == zeros_) next_entry();
  }

  void enter(Phase phase, std::uint64_t size) {
    phase_ = phase;
    offset_ = 0;
    if (phase == Phase::zeros) zeros_ = size;
  }

  void next_entry() {
    if (ended_) {
      phase_ = Phase::done;
    } else if (layout_.next(entry_)) {
      enter(Phase::header, 0);
    } else {
      ended_ = true;
      enter(Phase::zeros, oci::tar_end_size);
    }
  }

  std::size_t room(const Block& block, std::size_t used, std::uint64_t rest) const {
    return static_cast<std::size_t>(std::min<std::uint64_t>(block.bytes.size() - used, rest));
  }

  std::size_t copy_header(Block& block, std::size_t used) {
    const std::size_t count = room(block, used, entry_.header.size() - offset_);
    std::memcpy(block.bytes.data() + used, entry_.header.data() + offset_, count);
    offset_ += count;
    return count;
  }

  std::size_t place_content(Block& block, std::size_t used) {
    const std::size_t count = room(block, used, entry_.content_size - offset_);
    const io::MutableBytes target(block.bytes.data() + used, count);
    const Content& content = entry_.content;
    if (content.inline_bytes) {
      std::memcpy(target.data(), content.inline_bytes->bytes.data() + offset_, count);
    } else if (content.directory) {
      io::ReadPiece piece;
      piece.directory = content.directory->directory.get();
      piece.path = content.path;
      piece.offset = offset_;
      piece.target = target;
      block.pieces.push_back(std::move(piece));
    } else {
      throw io::Error(io::ErrorKind::internal, fmt::format("writing a layer: '{}' has no readable content", entry_.path));
    }
    offset_ += count;
    return count;
  }

  std::size_t place_zeros(Block& block, std::size_t used) {
    const std::size_t count = room(block, used, zeros_ - offset_);
    std::memset(block.bytes.data() + used, 0, count);
    offset_ += count;
    return count;
  }

  TarLayout layout_;
  LayoutEntry entry_;
  Phase phase_ = Phase::zeros;
  std::uint64_t offset_ = 0;
  std::uint64_t zeros_ = 0;
  bool ended_ = false;
  std::uint64_t tar_size_ = 0;
};

void check_pieces(const std::vector<io::ReadPiece>& pieces) {
  for (const auto& piece : pieces) {
    if (piece.error != 0) io::throw_errno(piece.error, fmt::format("reading '{}' for the layer", piece.path));
    if (piece.read != piece.target.size()) {
      throw io::Error(io::ErrorKind::filesystem,
                      fmt::format("reading '{}' for the layer: the file shrank while it was read", piece.path));
    }
  }
}

// What the blocks of one layer share. Hashing and writing go in the order of the blocks, compressing in any.
struct Pipeline {
  Pipeline(io::Runtime& the_runtime, LayerSettings settings, oci::SpoolBlobPtr target)
      : runtime(the_runtime),
        compression(settings.compression),
        stream(settings.compression),
        blob(std::move(target)),
        turned(the_runtime.executor()) {}

  io::Runtime& runtime;
  io::CompressionSettings compression;
  io::BlockStream stream;
  oci::SpoolBlobPtr blob;
  io::Sha256 diff_id;
  io::Sha256 digest;
  std::uint64_t size = 0;
  std::uint64_t hash_turn = 0;
  std::uint64_t write_turn = 0;
  std::uint64_t in_flight = 0;
  bool failed = false;
  io::Notify turned;
  std::vector<std::unique_ptr<Block>> idle;  // with their leases

  void write(io::Bytes bytes) {
    digest.update(bytes);
    blob->append(bytes);
    size += bytes.size();
  }
};

// Hash, compress, hash, append: one block on its way.
Task<void> process_in_turn(Pipeline& pipe, std::uint64_t index, std::unique_ptr<Block> block) {
  while (pipe.hash_turn != index) co_await pipe.turned.wait();
  auto hash = [&pipe, raw = block.get()] { pipe.diff_id.update(raw->bytes); };
  co_await io::offload(pipe.runtime.cpu(), hash);
  ++pipe.hash_turn;
  pipe.turned.notify_all();

  auto compress = [&pipe, raw = block.get()] {
    return io::compress_block(pipe.compression, raw->bytes, std::move(raw->compressed));
  };
  io::CompressedBlock compressed = co_await io::offload(pipe.runtime.cpu(), compress);

  while (pipe.write_turn != index) co_await pipe.turned.wait();
  auto write = [&pipe, &compressed] {
    pipe.stream.append(compressed);
    pipe.write(compressed.bytes);
  };
  co_await io::offload(pipe.runtime.cpu(), write);
  pipe.blob->announce();
  block->compressed = std::move(compressed.bytes);
  pipe.idle.push_back(std::move(block));
  ++pipe.write_turn;
  --pipe.in_flight;
  pipe.turned.notify_all();
}

// A block that fails wakes those that wait for its turn, which will never come.
Task<void> process_block(Pipeline& pipe, std::uint64_t index, std::unique_ptr<Block> block) {
  try {
    co_await process_in_turn(pipe, index, std::move(block));
  } catch (...) {
    pipe.failed = true;
    pipe.turned.notify_all();
    throw;
  }
}

Task<std::unique_ptr<Block>> take_block(Pipeline& pipe) {
  if (!pipe.idle.empty()) {
    std::unique_ptr<Block> block = std::move(pipe.idle.back());
    pipe.idle.pop_back();
    co_return block;
  }
  auto block = std::make_unique<Block>();
  block->lease = co_await pipe.runtime.budget().acquire(2 * io::compression_block_size);
  co_return block;
}

// Fills block after block and sends each on its way, as many at once as keep the cores busy.
Task<void> pump_blocks(Pipeline& pipe, io::FileReader& reader, BlockFiller& filler, io::TaskGroup& group) {
  const std::uint64_t most_in_flight = 2 * pipe.runtime.cpu().size() + 4;
  bool last = false;
  for (std::uint64_t index = 0; !last; ++index) {
    while (pipe.in_flight >= most_in_flight && !pipe.failed) co_await pipe.turned.wait();
    if (pipe.failed) co_return;  // join() has the error
    std::unique_ptr<Block> block = co_await take_block(pipe);
    filler.fill(*block);
    co_await reader.read_all(block->pieces);
    check_pieces(block->pieces);
    block->pieces = {};
    last = block->last;
    ++pipe.in_flight;
    group.spawn(process_block(pipe, index, std::move(block)));
  }
}

Task<LayerFacts> run_pipeline(Pipeline& pipe, io::FileReader& reader, BlockFiller& filler, std::function<void()> on_captured) {
  pipe.write(pipe.stream.header());
  io::TaskGroup group(pipe.runtime.executor());
  std::exception_ptr failure;
  try {
    co_await pump_blocks(pipe, reader, filler, group);
    if (on_captured && !pipe.failed) on_captured();
  } catch (...) {
    failure = std::current_exception();
    group.cancel();
  }
  // A cancelled coroutine may not wait, not even for its children, before its state has been reset.
  const auto state = co_await asio::this_coro::cancellation_state;
  if (state.cancelled() != asio::cancellation_type::none) {
    if (!failure) failure = std::make_exception_ptr(io::Error(io::ErrorKind::cancelled, "cancelled"));
    group.cancel();
    co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
  }
  try {
    co_await group.join();
  } catch (...) {
    if (!failure) failure = std::current_exception();
  }
  if (failure) std::rethrow_exception(failure);

  pipe.write(pipe.stream.trailer());
  LayerFacts facts;
  facts.diff_id = oci::Digest::from(pipe.diff_id.finish());
  facts.digest = oci::Digest::from(pipe.digest.finish());
  facts.size = pipe.size;
  facts.tar_size = filler.tar_size();
  facts.files = filler.entries();
  co_return facts;
}

}  // namespace

Task<LayerFacts> write_layer(io::Runtime& runtime, io::FileReader& reader, Tree tree, Changes changes, LayerSettings settings,
                             oci::SpoolBlobPtr blob, std::function<void()> on_captured) {
  std::exception_ptr failure;
  LayerFacts facts;
  try {
    Pipeline pipe(runtime, settings, blob);
    BlockFiller filler(std::move(tree), std::move(changes), settings);
    facts = co_await run_pipeline(pipe, reader, filler, std::move(on_captured));
  } catch (...) {
    failure = std::current_exception();
  }
  if (failure) {
    blob->fail(failure);
    std::rethrow_exception(failure);
  }
  blob->complete(facts.digest);
  co_return facts;
}

}  // namespace kiln::engine
