// The io_uring back end: up to `depth` files in flight, each open -> read... -> close, driven by the loop.
//
// The kernel writes into the caller's buffers until an operation has completed, so read_all() is not interruptible. An
// eventfd registered with the ring wakes the loop; one wake-up may stand for many completions, so all are reaped. Any
// refusal while the ring is made (Docker's and containerd's default profiles answer EPERM) means "not here".
#include <fcntl.h>
#include <liburing.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

#include <asio/posix/stream_descriptor.hpp>
#include <asio/redirect_error.hpp>
#include <asio/this_coro.hpp>
#include <fmt/format.h>
#include <linux/openat2.h>

#include "io/base/error.hpp"
#include "io/base/fd.hpp"
#include "io/file/read_plan.hpp"

namespace kiln::io {

namespace {

constexpr unsigned depth = 128;

class Ring {
 public:
  Ring() = default;
  Ring(const Ring&) = delete;
  Ring& operator=(const Ring&) = delete;
  ~Ring() {
    if (ready_) io_uring_queue_exit(&ring_);
  }

  // 0, or the errno of what was refused, named in *what.
  int open(std::string* what) {
    io_uring_params params{};
    params.flags = IORING_SETUP_COOP_TASKRUN;
    int result = io_uring_queue_init_params(depth, &ring_, &params);
    if (result == -EINVAL) {
      params = {};
      result = io_uring_queue_init_params(depth, &ring_, &params);
    }
    *what = "io_uring_setup";
    if (result < 0) return -result;
    ready_ = true;
    io_uring_ring_dontfork(&ring_);
    *what = "io_uring operations openat2, read, close";
    io_uring_probe* probe = io_uring_get_probe_ring(&ring_);
    const bool supported = probe && io_uring_opcode_supported(probe, IORING_OP_OPENAT2) &&
                           io_uring_opcode_supported(probe, IORING_OP_READ) && io_uring_opcode_supported(probe, IORING_OP_CLOSE);
    io_uring_free_probe(probe);
    if (!supported) return ENOSYS;
    event_ = UniqueFd(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    *what = "io_uring_register_eventfd";
    return event_ ? -io_uring_register_eventfd(&ring_, event_.get()) : errno;
  }

  io_uring* get() { return &ring_; }
  int event() const { return event_.get(); }

 private:
  io_uring ring_{};
  bool ready_ = false;
  UniqueFd event_;
};

// One piece on its way through the ring.
struct Slot {
  enum class Step { free, open, read, close } step = Step::free;
  ReadPiece* piece = nullptr;
  int file = -1;
};

class RingReader final : public FileReader {
 public:
  RingReader(Runtime& runtime, std::unique_ptr<Ring> ring)
      : ring_(std::move(ring)), event_(runtime.loop(), dup_event(ring_->event())) {}
  const char* name() const noexcept override { return "io_uring"; }

  Task<void> read_all(std::vector<ReadPiece>& pieces) override {
    while (busy_) co_await sleep_for(std::chrono::milliseconds(1));  // one batch at a time has the slots
    busy_ = true;
    co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
    std::size_t next = 0;
    unsigned active = 0;
    while (next < pieces.size() || active > 0) {
      for (auto& slot : slots_) {
        if (slot.step != Slot::Step::free || next == pieces.size()) continue;
        start(slot, pieces[next++]);
        ++active;
      }
      io_uring_submit(ring_->get());
      co_await wait_for_event();
      active -= reap();
    }
    busy_ = false;
    co_await asio::this_coro::reset_cancellation_state(asio::enable_terminal_cancellation());
  }

 private:
  static int dup_event(int event) {
    const int copy = fcntl(event, F_DUPFD_CLOEXEC, 3);
    if (copy < 0) throw_errno(errno, "duplicating the ring's event descriptor");
    return copy;
  }

  io_uring_sqe* next_entry() {
    io_uring_sqe* entry = io_uring_get_sqe(ring_->get());
    while (!entry) {
      io_uring_submit(ring_->get());
      entry = io_uring_get_sqe(ring_->get());
    }
    return entry;
  }

  void start(Slot& slot, ReadPiece& piece) {
    slot.piece = &piece;
    slot.file = -1;
    slot.step = Slot::Step::open;
    io_uring_sqe* entry = next_entry();
    io_uring_prep_openat2(entry, piece.directory, piece.path.c_str(), &how_);
    io_uring_sqe_set_data(entry, &slot);
  }

  void queue_read(Slot& slot) {
    slot.step = Slot::Step::read;
    io_uring_sqe* entry = next_entry();
    const MutableBytes rest = slot.piece->target.subspan(slot.piece->read);
    io_uring_prep_read(entry, slot.file, rest.data(), static_cast<unsigned>(rest.size()), slot.piece->offset + slot.piece->read);
    io_uring_sqe_set_data(entry, &slot);
  }

  void queue_close(Slot& slot) {
    slot.step = Slot::Step::close;
    io_uring_sqe* entry = next_entry();
    io_uring_prep_close(entry, slot.file);
    io_uring_sqe_set_data(entry, &slot);
  }

  Task<void> wait_for_event() {
    asio::error_code ignored;
    co_await event_.async_wait(asio::posix::stream_descriptor::wait_read, asio::redirect_error(asio::use_awaitable, ignored));
    std::uint64_t count = 0;
    while (::read(ring_->event(), &count, sizeof count) < 0 && errno == EINTR) {
    }
  }

  // Takes every completion; gives the number of pieces that are done.
  unsigned reap() {
    unsigned done = 0;
    io_uring_cqe* completion = nullptr;
    while (io_uring_peek_cqe(ring_->get(), &completion) == 0) {
      Slot& slot = *static_cast<Slot*>(io_uring_cqe_get_data(completion));
      const int result = completion->res;
      io_uring_cqe_seen(ring_->get(), completion);
      done += advance(slot, result) ? 1 : 0;
    }
    return done;
  }

  // What comes after a completion; true when the piece is done.
  bool advance(Slot& slot, int result) {
    ReadPiece& piece = *slot.piece;
    switch (slot.step) {
      case Slot::Step::open:
        if (result < 0) return finish(slot, -result);
        slot.file = result;
        piece.target.empty() ? queue_close(slot) : queue_read(slot);
        return false;
      case Slot::Step::read:
        if (result == -EINTR || result == -EAGAIN) {
          queue_read(slot);
          return false;
        }
        if (result < 0) piece.error = -result;
        if (result > 0) piece.read += static_cast<unsigned>(result);
        result > 0 && piece.read < piece.target.size() ? queue_read(slot) : queue_close(slot);
        return false;
      case Slot::Step::close: return finish(slot, piece.error);
      case Slot::Step::free: break;
    }
    return false;
  }

  bool finish(Slot& slot, int error) {
    slot.piece->error = error;
    slot.step = Slot::Step::free;
    return true;
  }

  static open_how how_to_open() {
    open_how how{};
    how.flags = O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK;
    how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS;
    return how;
  }

  open_how how_ = how_to_open();
  std::unique_ptr<Ring> ring_;
  asio::posix::stream_descriptor event_;
  std::array<Slot, depth> slots_;
  bool busy_ = false;
};

}  // namespace

std::unique_ptr<FileReader> make_ring_reader(Runtime& runtime, std::string* why) {
  auto ring = std::make_unique<Ring>();
  std::string what;
  const int refusal = ring->open(&what);
  if (refusal != 0) {
    if (why) *why = fmt::format("{}: {}", what, std::strerror(refusal));
    return nullptr;
  }
  return std::make_unique<RingReader>(runtime, std::move(ring));
}

}  // namespace kiln::io
