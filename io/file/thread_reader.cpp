// The thread back end: open, pread, close, on the waiting pool.
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "io/file/open_beneath.hpp"
#include "io/file/read_plan.hpp"
#include "io/loop/task_group.hpp"

namespace kiln::io {

namespace {

constexpr std::size_t pieces_a_job = 128;

UniqueFd open_for_reading(NeighbourOpener& opener, const ReadPiece& piece) {
  UniqueFd file = opener.open(piece.directory, piece.path, O_RDONLY | O_NOATIME | O_NONBLOCK);
  if (!file && errno == EPERM) file = opener.open(piece.directory, piece.path, O_RDONLY | O_NONBLOCK);
  return file;
}

void read_piece(int file, ReadPiece& piece) {
  while (piece.read < piece.target.size()) {
    const MutableBytes rest = piece.target.subspan(piece.read);
    const ssize_t count = pread(file, rest.data(), rest.size(), static_cast<off_t>(piece.offset + piece.read));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) piece.error = errno;
    if (count <= 0) return;
    piece.read += static_cast<std::uint64_t>(count);
  }
}

// Neighbouring pieces of one file share its descriptor.
void read_pieces(std::span<ReadPiece> pieces) {
  NeighbourOpener opener;
  UniqueFd file;
  const ReadPiece* opened = nullptr;
  for (auto& piece : pieces) {
    if (!opened || opened->directory != piece.directory || opened->path != piece.path) {
      file = open_for_reading(opener, piece);
      opened = file ? &piece : nullptr;
    }
    if (file) {
      read_piece(file.get(), piece);
    } else {
      piece.error = errno;
    }
  }
}

Task<void> run_job(Runtime& runtime, std::span<ReadPiece> pieces) {
  auto work = [pieces] { read_pieces(pieces); };
  co_await offload(runtime.waiting(), work);
}

class ThreadReader final : public FileReader {
 public:
  explicit ThreadReader(Runtime& runtime) : runtime_(runtime) {}
  const char* name() const noexcept override { return "threads"; }

  Task<void> read_all(std::vector<ReadPiece>& pieces) override {
    const std::span<ReadPiece> all(pieces);
    if (all.empty()) co_return;
    if (all.size() <= pieces_a_job) {
      co_await run_job(runtime_, all);
      co_return;
    }
    TaskGroup group(runtime_.executor());
    for (std::size_t at = 0; at < all.size(); at += pieces_a_job) {
      group.spawn(run_job(runtime_, all.subspan(at, std::min(pieces_a_job, all.size() - at))));
    }
    co_await group.join();
  }

 private:
  Runtime& runtime_;
};

}  // namespace

std::unique_ptr<FileReader> make_thread_reader(Runtime& runtime) { return std::make_unique<ThreadReader>(runtime); }

}  // namespace kiln::io
