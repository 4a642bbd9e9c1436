// Uploading a blob: from the spool, while it grows if need be.
//
// With digest and size known it is one PUT. Else one PATCH of unknown length streams what the spool gets, and a PUT with
// the digest ends it (distribution-spec 1.1, Pushing a blob; what Docker does). After a fault the registry is asked where
// it stands and the rest is sent; where it does not know, the upload starts over: the spool has every byte.
#include <algorithm>
#include <charconv>

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "io/base/error.hpp"
#include "oci/registry/session.hpp"

namespace kiln::oci {

namespace {

using io::Task;
namespace http = io::http;

struct Upload {
  Session& session;
  std::string repository;
  SpoolBlobPtr blob;
  std::optional<Descriptor> known;
  OnBytes on_bytes;
  std::string location;        // of the upload session
  std::uint64_t offset = 0;    // bytes that the registry has
  std::uint64_t reported = 0;  // bytes told to on_bytes; those sent again are not counted twice
};

// What a request body reads: the spool from `begin`, to `end` or to where the blob ends.
struct SpoolReader {
  SpoolBlobPtr blob;
  io::Runtime& runtime;
  OnBytes on_bytes;
  std::uint64_t begin;
  std::uint64_t end;
  std::uint64_t offset;
  std::uint64_t* reported;
};

Task<std::size_t> read_spool(std::shared_ptr<SpoolReader> reader, io::MutableBytes buffer) {
  const std::uint64_t left = reader->end - reader->offset;
  if (left == 0) co_return 0;
  co_await reader->blob->wait_beyond(reader->offset);
  const io::MutableBytes target = buffer.first(static_cast<std::size_t>(std::min<std::uint64_t>(buffer.size(), left)));
  // The bytes have just been written, so they are in the page cache and reading them does not wait.
  const std::size_t count = reader->blob->read_at(reader->offset, target);
  reader->offset += count;
  if (reader->offset > *reader->reported) {
    if (reader->on_bytes) reader->on_bytes(reader->offset - *reader->reported);
    *reader->reported = reader->offset;
  }
  co_return count;
}

http::Body spool_body(Upload& upload, std::uint64_t begin, std::optional<std::uint64_t> end) {
  auto reader = std::make_shared<SpoolReader>(SpoolReader{upload.blob, upload.session.runtime(), upload.on_bytes, begin,
                                                          end.value_or(UINT64_MAX), begin, &upload.reported});
  http::Body body;
  if (end) body.size = *end - begin;
  body.read = [reader](io::MutableBytes buffer) { return read_spool(reader, buffer); };
  body.rewind = [reader] { reader->offset = reader->begin; };
  return body;
}

// The digest, once it is known.
std::optional<Digest> digest_of(const Upload& upload) {
  if (upload.known) return upload.known->digest;
  if (upload.blob && upload.blob->completed()) return upload.blob->digest();
  return std::nullopt;
}

std::string doing(const Upload& upload) {
  const auto digest = digest_of(upload);
  return fmt::format("uploading {} to {}", digest ? digest->text() : "a growing layer", upload.repository);
}

Session::Call call_for(const Upload& upload, std::string method, std::string path) {
  Session::Call call;
  call.doing = doing(upload);
  call.method = std::move(method);
  call.path = std::move(path);
  call.repository = upload.repository;
  call.actions = "pull,push";
  return call;
}

// Where the upload goes on: Location, absolute or relative, against the registry.
void take_location(Upload& upload, const http::Response& response) {
  const auto location = response.headers().get("Location");
  if (location) upload.location = http::resolve_url(response.url(), *location).text();
}

// "0-1023" says that 1024 bytes are there.
std::optional<std::uint64_t> received_range(const http::Response& response) {
  const auto range = response.headers().get("Range");
  if (!range) return std::nullopt;
  const auto dash = range->rfind('-');
  if (dash == std::string_view::npos) return std::nullopt;
  std::uint64_t last = 0;
  const auto text = range->substr(dash + 1);
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), last);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return last == 0 ? 0 : last + 1;
}

Task<void> start(Upload& upload) {
  upload.location.clear();
  upload.offset = 0;
  http::Response response =
      co_await upload.session.send(call_for(upload, "POST", fmt::format("/v2/{}/blobs/uploads/", upload.repository)));
  if (response.status() != 202 || !response.headers().get("Location")) {
    co_await upload.session.refuse(std::move(response), fmt::format("{}: starting", doing(upload)));
  }
  take_location(upload, response);
  co_await response.discard();
}

std::string with_digest(const std::string& location, const Digest& digest) {
  return fmt::format("{}{}digest={}", location, location.find('?') == std::string::npos ? '?' : '&',
                     http::percent_encode(digest.text()));
}

// The last request: the digest, and all of the blob when nothing has been sent yet.
Task<void> finish(Upload& upload, Digest digest, std::function<http::Body()> whole) {
  Session::Call call = call_for(upload, "PUT", with_digest(upload.location, digest));
  call.headers.set("Content-Type", "application/octet-stream");
  call.body = std::move(whole);
  call.retry = false;
  http::Response response = co_await upload.session.send(call);
  if (response.status() != 201 && response.status() != 204) {
    co_await upload.session.refuse(std::move(response), fmt::format("{}: ending", doing(upload)));
  }
  const auto stored = response.headers().get("Docker-Content-Digest");
  if (stored && *stored != digest.text()) {
    throw io::Error(io::ErrorKind::integrity,
                    fmt::format("registry {}: {}: it stored {}", upload.session.host(), doing(upload), *stored));
  }
  co_await response.discard();
}

// Sends from `offset` to `end`, or to where the growing blob ends. The registry may take less of it, and says so; a Range
// that claims more than was sent is not believed.
Task<void> send_patch(Upload& upload, std::optional<std::uint64_t> end) {
  const std::uint64_t begin = upload.offset;
  Session::Call call = call_for(upload, "PATCH", upload.location);
  call.headers.set("Content-Type", "application/octet-stream");
  if (end) call.headers.set("Content-Range", fmt::format("{}-{}", begin, *end - 1));
  call.body = [&upload, begin, end] { return spool_body(upload, begin, end); };
  call.retry = false;
  http::Response response = co_await upload.session.send(call);
  const int status = response.status();
  if (status == 416) {  // it stands elsewhere, and will be asked where
    throw io::Error(io::ErrorKind::network,
                    fmt::format("registry {}: {}: it does not want bytes from {} on", upload.session.host(), doing(upload), begin));
  }
  if (status != 202 && status != 201 && status != 204) co_await upload.session.refuse(std::move(response), doing(upload));
  take_location(upload, response);
  const auto taken = received_range(response);
  co_await response.discard();
  if (!end) co_await upload.blob->wait_complete();
  const std::uint64_t sent = end.value_or(upload.blob->size());
  upload.offset = std::min(taken.value_or(sent), sent);
  if (upload.offset <= begin) {
    throw io::Error(io::ErrorKind::network, fmt::format("registry {}: {}: it took nothing of {} bytes", upload.session.host(),
                                                        doing(upload), sent - begin));
  }
}

// PATCH after PATCH until the registry has all: of `chunk` bytes, or one that follows the growing blob when that is 0.
Task<void> send_patches(Upload& upload, std::uint64_t chunk) {
  const SpoolBlob& blob = *upload.blob;
  while (!blob.completed() || upload.offset < blob.size()) {
    std::optional<std::uint64_t> end;
    if (chunk > 0) {
      end = upload.offset + chunk;
      while (!blob.completed() && blob.available() < *end) co_await upload.blob->wait_beyond(blob.available());
    }
    if (blob.completed()) end = std::min(end.value_or(blob.size()), blob.size());
    if (!end || *end > upload.offset) co_await send_patch(upload, end);
  }
}

// After a fault: how much does the registry have? False when the session is lost.
Task<bool> resume(Upload& upload) {
  if (upload.location.empty() || !upload.blob) co_return false;
  Session::Call call = call_for(upload, "GET", upload.location);
  call.retry = false;
  bool alive = false;
  try {
    http::Response response = co_await upload.session.send(call);
    const auto range = received_range(response);
    alive = response.status() == 204 && range && *range > 0 && *range <= upload.blob->available();
    if (alive) {
      upload.offset = *range;
      take_location(upload, response);
    }
    co_await response.discard();
  } catch (const io::Error& error) {
    if (error.kind() == io::ErrorKind::cancelled) throw;
  }
  co_return alive;
}

// After a fault: was it only the answer to the last request that got lost?
Task<bool> is_there(Upload& upload) {
  const auto digest = digest_of(upload);
  if (!digest) co_return false;
  Session::Call call = call_for(upload, "HEAD", fmt::format("/v2/{}/blobs/{}", upload.repository, digest->text()));
  call.retry = false;
  int status = 0;
  try {
    http::Response response = co_await upload.session.send(call);
    status = response.status();
  } catch (const io::Error& error) {
    if (error.kind() == io::ErrorKind::cancelled) throw;
  }
  co_return status == 200;
}

Task<void> send_spool(Upload& upload, bool resumed) {
  const std::uint64_t chunk = upload.session.options().upload_chunk_size;
  if (!resumed) co_await start(upload);
  if (chunk == 0 && upload.known && !resumed) {
    co_await finish(upload, upload.known->digest, [&upload] { return spool_body(upload, 0, upload.known->size); });
    co_return;
  }
  co_await send_patches(upload, chunk);
  co_await upload.blob->wait_complete();
  co_await finish(upload, upload.blob->digest(), {});
}

// Tries until the registry has the blob. A registry that lost the session (404), or that found other bytes than it was sent
// (400), is given a fresh start.
Task<void> upload_until_there(Upload& upload, std::function<Task<void>(bool resumed)> send) {
  const int attempts = upload.session.options().attempts;
  for (int tried = 1;; ++tried) {
    std::optional<io::Error> failure;
    bool resumed = false;
    if (tried > 1) {
      const bool there = co_await is_there(upload);
      if (there) co_return;
      resumed = co_await resume(upload);
    }
    try {
      co_await send(resumed);
      co_return;
    } catch (const io::Error& error) {
      failure = error;
    }
    const bool lost = failure->kind() == io::ErrorKind::not_found && !upload.location.empty();
    const bool again = http::is_retryable_error(*failure) || failure->kind() == io::ErrorKind::protocol || lost;
    if (!again || tried >= attempts) throw *failure;
    if (!http::is_retryable_error(*failure)) upload.location.clear();
    const auto delay = upload.session.delay_before_retry(tried);
    spdlog::debug("{}; trying the upload again in {} ms", failure->message(), delay.count());
    co_await io::sleep_for(delay);
  }
}

// An upload that is not wanted after all. The registry forgets it by itself, too: a failure does not matter.
Task<void> cancel_upload(Session& session, std::string repository, std::string location) {
  Session::Call call;
  call.doing = fmt::format("cancelling an upload to {}", repository);
  call.method = "DELETE";
  call.path = std::move(location);
  call.repository = std::move(repository);
  call.actions = "pull,push";
  call.retry = false;
  try {
    http::Response response = co_await session.send(call);
    co_await response.discard();
  } catch (const io::Error& error) {
    if (error.kind() == io::ErrorKind::cancelled) throw;
  }
}

}  // namespace

Task<void> Registry::upload(std::string repository, SpoolBlobPtr blob, std::optional<Descriptor> known, OnBytes on_bytes) {
  Upload upload{impl_->session, std::move(repository), std::move(blob), std::move(known), std::move(on_bytes), {}, 0, 0};
  const auto send = [&upload](bool resumed) { return send_spool(upload, resumed); };
  co_await upload_until_there(upload, send);
}

namespace {

Task<void> send_bytes(Upload& upload, const std::string& bytes) {
  co_await start(upload);
  co_await finish(upload, upload.known->digest, [&bytes] { return http::Body::text(bytes); });
}

}  // namespace

Task<void> Registry::upload_bytes(std::string repository, std::string bytes, Digest digest) {
  Descriptor known;
  known.digest = std::move(digest);
  known.size = bytes.size();
  Upload upload{impl_->session, std::move(repository), nullptr, std::move(known), {}, {}, 0, 0};
  const auto send = [&upload, &bytes](bool) { return send_bytes(upload, bytes); };
  co_await upload_until_there(upload, send);
}

Task<bool> Registry::mount(std::string repository, Digest digest, std::string from_repository) {
  Session::Call call;
  call.doing = fmt::format("mounting {} from {} into {}", digest.text(), from_repository, repository);
  call.method = "POST";
  call.path = fmt::format("/v2/{}/blobs/uploads/?mount={}&from={}", repository, http::percent_encode(digest.text()),
                          http::percent_encode(from_repository));
  call.repository = repository;
  call.actions = "pull,push";
  call.more_scope = fmt::format("repository:{}:pull", from_repository);
  http::Response response = co_await impl_->session.send(call);
  const int status = response.status();
  const std::string location(response.headers().get("Location").value_or(""));
  const http::Url url = response.url();
  co_await response.discard();
  if (status == 201) co_return true;
  if (status == 202 && !location.empty()) {  // an upload was started instead: not wanted now
    co_await cancel_upload(impl_->session, repository, http::resolve_url(url, location).text());
  }
  co_return false;
}

Task<void> Registry::check_push(std::string repository) {
  Session::Call call;
  call.doing = fmt::format("checking whether {} can be pushed to", repository);
  call.method = "POST";
  call.path = fmt::format("/v2/{}/blobs/uploads/", repository);
  call.repository = repository;
  call.actions = "pull,push";
  http::Response response = co_await impl_->session.send(call);
  const std::string location(response.headers().get("Location").value_or(""));
  if (response.status() != 202 || location.empty()) {
    co_await impl_->session.refuse(std::move(response), call.doing);
  }
  const http::Url url = response.url();
  co_await response.discard();
  co_await cancel_upload(impl_->session, repository, http::resolve_url(url, location).text());
}

}  // namespace kiln::oci
