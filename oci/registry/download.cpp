// Downloading a blob: in ranges over several connections where it is large and the registry allows it, continued where it
// broke, its digest computed as the spool grows. Or in one piece after the other through memory, where its consumer computes the
// digest: over one connection as long as that feeds the consumer, and else what is left of a large blob in ranges to a spool, and
// from there to the consumer.
//
// A byte is delivered once. Consumers read, and the digest is computed, while the rest still comes in: a server that ignores
// Range and starts again from the first byte may not change what they have seen.
#include <algorithm>
#include <charconv>

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "io/base/error.hpp"
#include "io/codec/digest.hpp"
#include "io/loop/task_group.hpp"
#include "oci/registry/session.hpp"

namespace kiln::oci {

namespace {

using io::Task;
namespace http = io::http;

constexpr std::size_t piece_size = 512U << 10U;
constexpr std::uint64_t range_size = 8U << 20U;

struct Transfer {
  Transfer(Session& the_session, std::string the_repository, Descriptor the_descriptor, OnBytes tell_bytes)
      : session(the_session),
        repository(std::move(the_repository)),
        descriptor(std::move(the_descriptor)),
        on_bytes(std::move(tell_bytes)),
        answered(the_session.runtime().executor()) {}

  Session& session;
  std::string repository;
  Descriptor descriptor;
  SpoolBlobPtr spool;  // where the bytes go; null: to the passage
  PassagePtr passage;  // the consumer's, if it is not the spool's
  OnBytes on_bytes;
  io::Notify answered;  // the first request: then it is known whether the registry gives ranges
  std::optional<bool> ranges;
  std::uint64_t taken = 0;        // bytes before this one are some connection's business
  std::uint64_t spool_begin = 0;  // the byte that the spool begins with
  bool spreading = false;         // a passage is better fed from `taken` on over several connections
  bool left = false;              // the passage's consumer has gone

  std::string doing() const { return fmt::format("downloading blob {} of {}", descriptor.digest.text(), repository); }
  io::Error error(io::ErrorKind kind, const std::string& what) const {
    return io::Error(kind, fmt::format("registry {}: {}: {}", session.host(), doing(), what));
  }
};

struct Piece {
  std::size_t size = 0;
  bool last = false;  // the body has ended or broken off
};

// Fills `buffer` as far as the body goes. A broken body is not an error here.
Task<Piece> read_piece(http::Response& response, io::MutableBytes buffer) {
  Piece piece;
  while (piece.size < buffer.size() && !piece.last) {
    std::size_t count = 0;
    try {
      count = co_await response.read_some(buffer.subspan(piece.size));
    } catch (const io::Error& error) {
      if (error.kind() != io::ErrorKind::network) throw;
      spdlog::debug("{}; going on from there", error.message());
    }
    piece.size += count;
    piece.last = count == 0;
  }
  co_return piece;
}

// Where one body's bytes go.
class Landing {
 public:
  explicit Landing(Transfer& transfer) : transfer_(transfer) {}

  // What the next bytes are to be read into; empty when nobody wants them.
  Task<io::MutableBytes> room() {
    if (transfer_.left) co_return io::MutableBytes();
    if (!transfer_.spool) {
      const io::MutableBytes room = co_await transfer_.passage->room();
      co_return room;
    }
    if (buffer_.empty()) {
      lease_ = co_await transfer_.session.runtime().budget().acquire(piece_size);
      buffer_.resize(piece_size);
    }
    co_return io::MutableBytes(buffer_);
  }

  // The room's first bytes are the blob's, from `offset` on.
  Task<void> take(std::uint64_t offset, std::size_t size) {
    if (!transfer_.spool) {
      transfer_.passage->commit(size);
    } else {
      const std::uint64_t place = offset - transfer_.spool_begin;
      auto write = [this, place, size] { transfer_.spool->write_at(place, io::Bytes(buffer_).first(size)); };
      co_await io::offload(transfer_.session.runtime().cpu(), write);
      transfer_.spool->announce();
    }
    if (transfer_.on_bytes) transfer_.on_bytes(size);
  }

 private:
  Transfer& transfer_;
  io::ByteBudget::Lease lease_;
  std::vector<std::byte> buffer_;
};

// Whether what comes after `reached` had better come over several connections: a lot that the consumer waits for.
bool better_spread(const Transfer& transfer, const http::Response& response, std::uint64_t reached) {
  const RegistryOptions& options = transfer.session.options();
  if (transfer.spool || options.ranges < 2 || transfer.descriptor.size - reached <= options.parallel_download_above) return false;
  return response.headers().get("Accept-Ranges") == "bytes" && transfer.passage->starved();
}

// Delivers bytes `begin` to `end` from a body that starts at byte `from`, which is not after `begin`; gives where it stopped:
// where the body broke off, or the transfer is to be spread from there on.
Task<std::uint64_t> copy_body(Transfer& transfer, http::Response& response, std::uint64_t from, std::uint64_t begin,
                              std::uint64_t end) {
  Landing landing(transfer);
  bool last = false;
  while (from < end && !last) {
    const std::uint64_t wanted = from < begin ? begin - from : end - from;
    const io::MutableBytes room = co_await landing.room();
    if (room.empty()) co_return end;
    const io::MutableBytes target = room.first(static_cast<std::size_t>(std::min<std::uint64_t>(room.size(), wanted)));
    const Piece piece = co_await read_piece(response, target);
    if (from >= begin && piece.size > 0) co_await landing.take(from, piece.size);
    from += piece.size;
    last = piece.last;
    transfer.spreading = !last && from > begin && better_spread(transfer, response, from);
    if (transfer.spreading) break;
  }
  co_return std::max(from, begin);
}

Session::Call call_for(const Transfer& transfer, std::uint64_t begin, std::uint64_t end) {
  Session::Call call;
  call.doing = transfer.doing();
  call.path = fmt::format("/v2/{}/blobs/{}", transfer.repository, transfer.descriptor.digest.text());
  call.repository = transfer.repository;
  if (begin != 0 || end != transfer.descriptor.size) call.headers.set("Range", fmt::format("bytes={}-{}", begin, end - 1));
  return call;
}

// "bytes 0-99/1234" (RFC 9110 section 14.4): has the registry answered the range that was asked for, at least its start?
void check_range(const Transfer& transfer, const http::Response& response, std::uint64_t begin) {
  const std::string_view field = response.headers().get("Content-Range").value_or("");
  std::uint64_t first = 0;
  const std::string_view text = field.starts_with("bytes ") ? field.substr(6) : std::string_view();
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), first);
  if (error == std::errc() && end != text.data() + text.size() && *end == '-' && first == begin) return;
  throw transfer.error(io::ErrorKind::protocol,
                       fmt::format("bytes from {} on were asked for, and '{}' was answered", begin, field));
}

void remember_ranges(Transfer& transfer, bool ranges) {
  if (transfer.ranges) return;
  transfer.ranges = ranges;
  transfer.answered.notify_all();
}

// The bytes from `begin` to `end`, in as many requests as it takes. The first answer of a transfer may be all of the blob:
// then it is used as such. Ends early where the transfer is to be spread.
Task<void> download_range(Transfer& transfer, std::uint64_t begin, std::uint64_t end) {
  const int attempts = transfer.session.options().attempts;
  int without_progress = 0;
  while (begin < end) {
    if (without_progress >= attempts) {
      throw transfer.error(io::ErrorKind::network, fmt::format("the transfer keeps breaking at byte {}", begin));
    }
    if (without_progress > 0) co_await io::sleep_for(http::backoff_delay({}, without_progress));
    http::Response response = co_await transfer.session.send(call_for(transfer, begin, end));
    if (response.status() != 200 && response.status() != 206) {
      co_await transfer.session.refuse(std::move(response), transfer.doing());
    }
    const bool partial = response.status() == 206;
    if (partial) check_range(transfer, response, begin);
    if (!partial && !transfer.ranges) end = transfer.descriptor.size;
    remember_ranges(transfer, partial);
    const std::uint64_t reached = co_await copy_body(transfer, response, partial ? begin : 0, begin, end);
    without_progress = reached > begin ? 1 : without_progress + 1;
    begin = reached;
    if (!transfer.spreading) continue;
    transfer.taken = reached;
    co_return;
  }
}

// Takes range after range, in order, so that what consumers wait for comes first whatever a single connection gives.
Task<void> download_in_turn(Transfer& transfer, bool first) {
  while (!first && !transfer.ranges) co_await transfer.answered.wait();
  const std::uint64_t size = transfer.descriptor.size;
  while (transfer.taken < size && transfer.ranges.value_or(true)) {
    const std::uint64_t begin = transfer.taken;
    const std::uint64_t rest = size - begin;
    transfer.taken = rest < range_size + range_size / 2 ? size : begin + range_size;
    co_await download_range(transfer, begin, transfer.taken);
  }
}

void download_in_ranges(Transfer& transfer, io::TaskGroup& group) {
  for (unsigned i = 0; i < transfer.session.options().ranges; ++i) group.spawn(download_in_turn(transfer, i == 0));
}

Task<void> download_all(Transfer& transfer) {
  const RegistryOptions& options = transfer.session.options();
  const std::uint64_t size = transfer.descriptor.size;
  if (size <= options.parallel_download_above || options.ranges < 2) {
    co_await download_range(transfer, 0, size);
    co_return;
  }
  io::TaskGroup group(transfer.session.runtime().executor());
  download_in_ranges(transfer, group);
  co_await group.join();
}

// From the spool to the consumer, as it grows.
Task<void> feed_passage(Transfer& transfer) {
  const std::uint64_t size = transfer.descriptor.size - transfer.spool_begin;
  for (std::uint64_t offset = 0; offset < size;) {
    co_await transfer.spool->wait_beyond(offset);
    const io::MutableBytes room = co_await transfer.passage->room();
    transfer.left = room.empty();
    if (transfer.left) co_return;
    const auto read = [&transfer, room, offset] { return transfer.spool->read_at(offset, room); };
    const std::size_t count = co_await io::offload(transfer.session.runtime().cpu(), read);
    transfer.passage->commit(count);
    offset += count;
  }
}

// What a passage has not got yet, over several connections.
Task<void> spread(Transfer& transfer, SpoolBlobPtr spool) {
  spdlog::debug("{}: the rest, from byte {} on, comes over {} connections", transfer.doing(), transfer.taken,
                transfer.session.options().ranges);
  transfer.spool = std::move(spool);
  transfer.spool_begin = transfer.taken;
  transfer.spreading = false;
  transfer.ranges.reset();
  io::TaskGroup group(transfer.session.runtime().executor());
  group.spawn(feed_passage(transfer));
  download_in_ranges(transfer, group);
  co_await group.join();
}

// Hashes the spool as it grows: whatever the order of arrival, the bytes go in from first to last.
Task<void> hash_spool(Transfer& transfer, io::Sha256& hash) {
  std::vector<std::byte> buffer(piece_size);
  std::uint64_t offset = 0;
  while (offset < transfer.descriptor.size) {
    co_await transfer.spool->wait_beyond(offset);
    auto work = [&transfer, &hash, &buffer, offset] {
      const std::size_t count = transfer.spool->read_at(offset, buffer);
      hash.update(io::Bytes(buffer).first(count));
      return count;
    };
    offset += co_await io::offload(transfer.session.runtime().cpu(), work);
  }
}

Task<void> download_and_hash(Transfer& transfer) {
  io::Sha256 hash;
  io::TaskGroup group(transfer.session.runtime().executor());
  group.spawn(hash_spool(transfer, hash));
  group.spawn(download_all(transfer));
  co_await group.join();
  const Digest digest = Digest::from(hash.finish());
  if (digest != transfer.descriptor.digest) {
    throw transfer.error(io::ErrorKind::integrity, fmt::format("the bytes have digest {}", digest.text()));
  }
}

}  // namespace

Task<void> Registry::download(std::string repository, Descriptor descriptor, SpoolBlobPtr blob, OnBytes on_bytes) {
  Transfer transfer(impl_->session, std::move(repository), std::move(descriptor), std::move(on_bytes));
  transfer.spool = std::move(blob);
  std::exception_ptr failure;
  try {
    co_await download_and_hash(transfer);
  } catch (...) {
    failure = std::current_exception();
  }
  if (failure) {
    transfer.spool->fail(failure);
    std::rethrow_exception(failure);
  }
  transfer.spool->complete(transfer.descriptor.digest);
}

Task<void> Registry::download(std::string repository, Descriptor descriptor, PassagePtr passage, MakeSpool make_spool,
                              OnBytes on_bytes) {
  Transfer transfer(impl_->session, std::move(repository), std::move(descriptor), std::move(on_bytes));
  transfer.passage = std::move(passage);
  std::exception_ptr failure;
  try {
    const std::size_t memory = std::size_t{Passage::pieces} * Passage::piece_size;
    const io::ByteBudget::Lease lease = co_await impl_->session.runtime().budget().acquire(memory);
    co_await download_range(transfer, 0, transfer.descriptor.size);
    if (transfer.spreading) co_await spread(transfer, make_spool());
  } catch (...) {
    failure = std::current_exception();
  }
  if (!failure) co_return;
  transfer.passage->fail(failure);
  std::rethrow_exception(failure);
}

}  // namespace kiln::oci
