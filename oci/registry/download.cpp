// Downloading a blob: in ranges where it is large and the registry allows it, continued where it broke, its digest
// computed as the spool grows.
#include <algorithm>

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

struct Transfer {
  Session& session;
  std::string repository;
  Descriptor descriptor;
  SpoolBlobPtr blob;
  OnBytes on_bytes;
};

// Copies a response's body to the spool from `offset`; gives where it stopped. A broken body is not an error here.
Task<std::uint64_t> copy_body(Transfer& transfer, http::Response& response, std::uint64_t offset, std::uint64_t end) {
  const io::ByteBudget::Lease lease = co_await transfer.session.runtime().budget().acquire(piece_size);
  std::vector<std::byte> buffer(piece_size);
  while (offset < end) {
    std::size_t filled = 0;
    bool broken = false;
    while (filled < buffer.size() && offset + filled < end) {
      std::size_t count = 0;
      try {
        const auto wanted = std::min<std::uint64_t>(buffer.size() - filled, end - offset - filled);
        count = co_await response.read_some(io::MutableBytes(buffer).subspan(filled, static_cast<std::size_t>(wanted)));
      } catch (const io::Error& error) {
        if (error.kind() != io::ErrorKind::network) throw;
        spdlog::debug("{}; going on at byte {}", error.message(), offset + filled);
        broken = true;
      }
      if (count == 0) break;
      filled += count;
      if (transfer.on_bytes) transfer.on_bytes(count);
      if (filled < count) break;
    }
    auto write = [&transfer, &buffer, offset, filled] { transfer.blob->write_at(offset, io::Bytes(buffer).first(filled)); };
    co_await io::offload(transfer.session.runtime().cpu(), write);
    transfer.blob->announce();
    offset += filled;
    if (filled == 0 || broken) break;
  }
  co_return offset;
}

Session::Call call_for(const Transfer& transfer, std::uint64_t begin, std::uint64_t end) {
  Session::Call call;
  call.path = fmt::format("/v2/{}/blobs/{}", transfer.repository, transfer.descriptor.digest.text());
  call.repository = transfer.repository;
  if (begin != 0 || end != transfer.descriptor.size) call.headers.set("Range", fmt::format("bytes={}-{}", begin, end - 1));
  return call;
}

// The bytes from `begin` to `end`, in as many requests as it takes.
Task<void> download_range(Transfer& transfer, std::uint64_t begin, std::uint64_t end) {
  const int attempts = transfer.session.options().attempts;
  int without_progress = 0;
  while (begin < end) {
    if (without_progress > 0) {
      if (without_progress >= attempts) {
        throw io::Error(io::ErrorKind::network, fmt::format("registry {}: downloading blob {}: the transfer keeps breaking at byte {}",
                                                            transfer.session.host(), transfer.descriptor.digest.text(), begin));
      }
      co_await io::sleep_for(http::backoff_delay({}, without_progress));
    }
    http::Response response = co_await transfer.session.send(call_for(transfer, begin, end));
    std::uint64_t from = begin;
    if (response.status() == 200) {
      from = 0;  // no ranges here: from the start, the bytes that are there are written again
    } else if (response.status() != 206) {
      co_await transfer.session.refuse(std::move(response), fmt::format("downloading blob {}", transfer.descriptor.digest.text()));
    }
    const std::uint64_t reached = co_await copy_body(transfer, response, from, end);
    without_progress = reached > begin ? 1 : without_progress + 1;
    if (reached >= end) break;
    begin = std::max(begin, reached);
  }
}

// Hashes the spool as it grows: whatever the order of arrival, the bytes go in from first to last.
Task<void> hash_spool(Transfer& transfer, io::Sha256& hash) {
  std::vector<std::byte> buffer(piece_size);
  std::uint64_t offset = 0;
  while (offset < transfer.descriptor.size) {
    co_await transfer.blob->wait_beyond(offset);
    auto work = [&transfer, &hash, &buffer, offset] {
      const std::size_t count = transfer.blob->read_at(offset, buffer);
      hash.update(io::Bytes(buffer).first(count));
      return count;
    };
    offset += co_await io::offload(transfer.session.runtime().cpu(), work);
  }
}

// The first range tells whether the registry knows ranges: a 200 means one stream for all of it.
Task<void> download_all(Transfer& transfer) {
  const RegistryOptions& options = transfer.session.options();
  const std::uint64_t size = transfer.descriptor.size;
  if (size <= options.parallel_download_above || options.ranges < 2) {
    co_await download_range(transfer, 0, size);
    co_return;
  }
  io::TaskGroup group(transfer.session.runtime().executor());
  const std::uint64_t step = (size / options.ranges / piece_size + 1) * piece_size;
  for (std::uint64_t begin = 0; begin < size; begin += step) {
    group.spawn(download_range(transfer, begin, std::min(size, begin + step)));
  }
  co_await group.join();
}

Task<void> download_and_hash(Transfer& transfer) {
  io::Sha256 hash;
  io::TaskGroup group(transfer.session.runtime().executor());
  group.spawn(hash_spool(transfer, hash));
  group.spawn(download_all(transfer));
  co_await group.join();
  const Digest digest = Digest::from(hash.finish());
  if (digest != transfer.descriptor.digest) {
    throw io::Error(io::ErrorKind::integrity,
                    fmt::format("registry {}: downloading blob {} of {}: the bytes have digest {}", transfer.session.host(),
                                transfer.descriptor.digest.text(), transfer.repository, digest.text()));
  }
}

}  // namespace

Task<void> Registry::download(std::string repository, Descriptor descriptor, SpoolBlobPtr blob, OnBytes on_bytes) {
  Transfer transfer{impl_->session, std::move(repository), std::move(descriptor), std::move(blob), std::move(on_bytes)};
  std::exception_ptr failure;
  try {
    co_await download_and_hash(transfer);
  } catch (...) {
    failure = std::current_exception();
  }
  if (failure) {
    transfer.blob->fail(failure);
    std::rethrow_exception(failure);
  }
  transfer.blob->complete(transfer.descriptor.digest);
}

}  // namespace kiln::oci
