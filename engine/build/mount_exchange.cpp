#include "engine/build/mount_exchange.hpp"

#include <algorithm>
#include <filesystem>

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "engine/build/layer_cache.hpp"
#include "engine/cache/artifact.hpp"
#include "engine/mounts/cache_archive.hpp"
#include "engine/mounts/chunker.hpp"
#include "io/base/error.hpp"
#include "io/base/seconds_now.hpp"
#include "io/codec/block_compressor.hpp"
#include "io/codec/memory.hpp"

namespace kiln::engine {

namespace {

using io::Task;

constexpr const char* raw_annotation = "kiln.cache.raw";        // of a chunk: what it holds
constexpr const char* size_annotation = "kiln.cache.raw-size";  // of a chunk: bytes of that
constexpr const char* index_annotation = "kiln.cache.index";    // of a mount: what its index is
constexpr const char* index_size_annotation = "kiln.cache.index-size";
constexpr std::string_view chunk_type = "application/vnd.kiln.cache.chunk.v1+zstd";
constexpr std::size_t chunks_at_once = 4;
constexpr std::size_t largest_chunk = 16U << 20U;  // bytes, decompressed
constexpr std::size_t largest_index_bytes = 256U << 20U;

std::string raw_digest(io::Bytes bytes) { return io::to_hex(io::sha256(bytes)); }

std::uint64_t number_of(const std::map<std::string, std::string>& annotations, const char* name) {
  const auto found = annotations.find(name);
  if (found == annotations.end() || found->second.empty() || found->second.size() > 18 ||
      found->second.find_first_not_of("0123456789") != std::string::npos) {
    throw io::Error(io::ErrorKind::integrity, fmt::format("no annotation {}", name));
  }
  return std::stoull(found->second);
}

std::string text_of(const std::map<std::string, std::string>& annotations, const char* name) {
  const auto found = annotations.find(name);
  return found == annotations.end() ? "" : found->second;
}

// The id without the namespace.
std::string shown(const CacheKey& key) { return key.id.substr(key.id.find('/') + 1); }

std::string megabytes(std::uint64_t bytes) { return fmt::format("{:.1f} MB", static_cast<double>(bytes) / 1e6); }

// What could not be had for such a reason is not replaced by what a RUN makes of an empty mount.
bool may_be_whole(io::ErrorKind kind) {
  return kind == io::ErrorKind::network || kind == io::ErrorKind::denied || kind == io::ErrorKind::unsupported;
}

oci::Reference repository_for(const BuildRequest& request) {
  const std::string place = cache_place(request);
  if (layout_directory(place)) {
    throw io::Error(
        io::ErrorKind::unsupported,
        fmt::format("--cache-mounts=registry: the cache is in {}, which is no repository; --cache-dir keeps cache mounts "
                    "in a directory",
                    place));
  }
  return io::with_context(fmt::format("--cache-mounts=registry: {}", place), [&] { return oci::parse_reference(place); });
}

}  // namespace

struct MountExchange::Known {
  oci::Manifest manifest;
  std::uint64_t index_size = 0;
  std::string index;  // its digest
  std::map<std::string, oci::Descriptor> chunks;
};

MountExchange::MountExchange(Session& session)
    : session_(session),
      reader_(session.hub.for_pull(repository_for(session.request).registry)),
      writer_(session.hub.for_push(repository_for(session.request).registry)),
      repository_(repository_for(session.request).repository),
      reading_(reader_),
      sending_(session.runtime.executor()) {}

std::string MountExchange::tag_of(const CacheKey& key) {
  const std::string text = fmt::format("{} {}", key.hash(), oci::host_platform().text());
  return std::string(mount_prefix) + std::string(oci::Digest::of(io::as_bytes(text)).hex().substr(0, 40));
}

Task<std::optional<MountExchange::Known>> MountExchange::find(std::string tag) {
  std::optional<oci::RawManifest> raw;
  try {
    co_await reading_.wait(get_manifest(std::move(tag), raw), longest_look_up);
  } catch (const io::Error& error) {
    if (error.kind() != io::ErrorKind::not_found) throw;
  }
  if (!raw) co_return std::nullopt;
  Known known;
  known.manifest = oci::parse_manifest(raw->bytes, raw->media_type);
  StoredEntry checked;
  describe_mount(known.manifest, checked);
  known.index_size = number_of(known.manifest.annotations, index_size_annotation);
  known.index = text_of(known.manifest.annotations, index_annotation);
  for (const auto& chunk : known.manifest.layers) known.chunks[text_of(chunk.annotations, raw_annotation)] = chunk;
  co_return known;
}

Task<void> MountExchange::get_manifest(std::string tag, std::optional<oci::RawManifest>& raw) {
  raw = co_await reader_.get_manifest(repository_, std::move(tag));
}

// -- from the repository -----------------------------------------------------------------------------------------------

// The stream of a mount, as its chunks come: first the index, then contents.
struct MountExchange::Restoring {
  std::string directory;
  std::uint64_t index_size = 0;
  std::string index_digest;
  std::uint64_t limit = 0;
  std::string index;
  std::vector<CachedFile> files;
  std::optional<CacheRestore> restore;

  void take(const oci::Descriptor& chunk, const std::string& blob) {
    const std::uint64_t size = number_of(chunk.annotations, size_annotation);
    const std::string raw = io::decompress_text(io::as_bytes(blob), largest_chunk);
    if (raw.size() != size || raw_digest(io::as_bytes(raw)) != text_of(chunk.annotations, raw_annotation)) {
      throw io::Error(io::ErrorKind::integrity, fmt::format("chunk {} does not hold what it says", chunk.digest.text()));
    }
    std::string_view bytes = raw;
    if (index.size() < index_size) {
      const std::size_t count = static_cast<std::size_t>(std::min<std::uint64_t>(bytes.size(), index_size - index.size()));
      index += bytes.substr(0, count);
      bytes.remove_prefix(count);
      if (index.size() == index_size) begin();
    }
    if (!bytes.empty()) restore->write(io::as_bytes(bytes));
  }

  void begin() {
    if (raw_digest(io::as_bytes(index)) != index_digest) throw io::Error(io::ErrorKind::integrity, "its index is another one");
    files = parse_index(index);
    const std::uint64_t size = content_size(files);
    if (limit > 0 && size > limit) {
      throw io::Error(io::ErrorKind::unsupported,
                      fmt::format("it has {}, which is more than --cache-mounts-limit", megabytes(size)));
    }
    restore.emplace(directory, files);
  }

  void finish() {
    if (!restore) throw io::Error(io::ErrorKind::integrity, "its index is not whole");
    restore->finish();
  }
};

Task<void> MountExchange::fetch_chunk(oci::Descriptor chunk, std::string& bytes) {
  bytes = co_await reader_.get_blob(repository_, chunk, largest_chunk + (1U << 17U));
}

Task<void> MountExchange::restore(Known known, std::string directory) {
  if (known.index_size == 0 || known.index_size > largest_index_bytes) {
    throw io::Error(io::ErrorKind::integrity, fmt::format("its index cannot have {} bytes", known.index_size));
  }
  Restoring restoring;
  restoring.directory = std::move(directory);
  restoring.index_size = known.index_size;
  restoring.index_digest = known.index;
  restoring.limit = session_.request.cache.mounts_limit;
  const auto& chunks = known.manifest.layers;
  for (std::size_t first = 0; first < chunks.size(); first += chunks_at_once) {
    const std::size_t count = std::min(chunks_at_once, chunks.size() - first);
    std::vector<std::string> blobs(count);
    io::TaskGroup group(session_.runtime.executor());
    for (std::size_t i = 0; i < count; ++i) group.spawn(fetch_chunk(chunks[first + i], blobs[i]));
    co_await group.join();
    const auto work = [&restoring, &chunks, &blobs, first] {
      for (std::size_t i = 0; i < blobs.size(); ++i) restoring.take(chunks[first + i], blobs[i]);
    };
    co_await io::offload(session_.runtime.waiting(), work);
  }
  const auto finish = [&restoring] { restoring.finish(); };
  co_await io::offload(session_.runtime.waiting(), finish);
}

Task<void> MountExchange::fetch(CacheKey key, const CacheDirectory& cache) {
  if (gone_) {
    left_alone_.insert(tag_of(key));
    co_return;
  }
  std::string fresh;
  std::optional<io::Error> trouble;
  const auto started = std::chrono::steady_clock::now();
  try {
    std::optional<Known> known = co_await find(tag_of(key));
    if (!known) co_return;
    fresh = cache.fresh();
    StoredEntry told;
    describe_mount(known->manifest, told);
    const std::string data = fresh + "/data";
    std::filesystem::create_directory(data);
    co_await restore(std::move(*known), data);
    cache.adopt(data);
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - started;
    session_.progress.message(
        fmt::format("cache mount '{}': {} from {} in {:.2f} s", shown(key), megabytes(told.size), repository_, took.count()));
  } catch (...) {
    trouble = io::as_error(std::current_exception());
  }
  std::error_code ignored;
  if (!fresh.empty()) std::filesystem::remove_all(fresh, ignored);
  if (!trouble) co_return;
  if (trouble->kind() == io::ErrorKind::cancelled) throw *trouble;
  const bool kept = may_be_whole(trouble->kind());
  if (kept) left_alone_.insert(tag_of(key));
  gone_ = trouble->kind() == io::ErrorKind::network && !reading_.alive();
  spdlog::warn("the cache mount '{}' is not taken from {}{}: {}", shown(key), repository_, kept ? " and left there as it is" : "",
               trouble->message());
}

// -- to the repository -------------------------------------------------------------------------------------------------

void MountExchange::note_use(const CacheKey& key, const CacheDirectory& cache) {
  if (session_.request.cache.write && !left_alone_.contains(tag_of(key)))
    used_.insert_or_assign(tag_of(key), std::pair(key, cache.path()));
}

void MountExchange::start_sending() {
  for (auto& [tag, used] : used_) sending_.spawn(send_or_warn(std::move(used.first), std::move(used.second)));
  used_.clear();
}

Task<void> MountExchange::finish() { co_await sending_.join(); }

Task<void> MountExchange::send_or_warn(CacheKey key, std::string path) {
  const std::string id = shown(key);
  if (session_.cache && session_.cache->gone()) {
    spdlog::debug("the cache mount '{}' is not left in {} either", id, repository_);
    co_return;
  }
  try {
    co_await send(std::move(key), std::move(path));
  } catch (const io::Error& error) {
    if (error.kind() == io::ErrorKind::cancelled) throw;
    spdlog::warn("the cache mount '{}' is not left in {}: {}", id, repository_, error.message());
  }
}

struct MountExchange::RawChunk {
  std::shared_ptr<const std::vector<std::byte>> bytes;  // null: there is none
  std::string digest;
};

// A mount on its way: chunks in order, those that are known with their descriptors.
struct MountExchange::Sending {
  std::vector<CachedFile> files;
  std::string index, index_digest;
  std::uint64_t size = 0;  // of contents
  std::optional<Known> known;
  std::vector<oci::Descriptor> chunks;
  std::uint64_t sent = 0;  // bytes

  // -- the stream
  std::size_t given = 0;  // of the index
  std::optional<CacheContents> contents;
  std::vector<std::byte> buffer;
  bool ended = false;

  void begin_again() {
    known.reset();
    chunks.clear();
    given = 0;
    contents.reset();
    buffer.clear();
    ended = false;
  }

  const oci::Descriptor* find(const std::string& digest) const {
    if (!known) return nullptr;
    const auto found = known->chunks.find(digest);
    return found == known->chunks.end() ? nullptr : &found->second;
  }

  // The index and the contents have no chunk in common.
  RawChunk next(const Chunker& chunker, const std::string& data) {
    if (given < index.size()) {
      const io::Bytes left = io::as_bytes(index).subspan(given);
      const std::size_t count = chunker.cut(left.first(std::min(left.size(), chunker.largest())));
      given += count;
      return raw_chunk(left.first(count));
    }
    if (!contents) contents.emplace(data, files);
    const std::size_t had = buffer.size();
    buffer.resize(chunker.largest());
    buffer.resize(had + contents->read(io::MutableBytes(buffer).subspan(had)));
    if (buffer.empty()) return {};
    const std::size_t count = chunker.cut(buffer);
    RawChunk chunk = raw_chunk(io::Bytes(buffer).first(count));
    buffer.erase(buffer.begin(), buffer.begin() + static_cast<std::ptrdiff_t>(count));
    return chunk;
  }

  static RawChunk raw_chunk(io::Bytes bytes) {
    return {std::make_shared<const std::vector<std::byte>>(bytes.begin(), bytes.end()), raw_digest(bytes)};
  }
};

Task<void> MountExchange::send_chunk(Sending& sending, std::size_t number, std::shared_ptr<const std::vector<std::byte>> bytes) {
  const auto work = [&bytes] { return io::compress_block({io::Compression::zstd, 1}, *bytes); };
  const io::CompressedBlock block = co_await io::offload(session_.runtime.cpu(), work);
  oci::Descriptor& chunk = sending.chunks[number];
  chunk.media_type = chunk_type;
  chunk.size = block.bytes.size();
  chunk.digest = oci::Digest::of(block.bytes);
  const oci::Descriptor made = chunk;
  const bool there = co_await writer_.has_blob(repository_, made.digest);
  if (there) co_return;
  co_await writer_.upload_bytes(repository_, std::string(io::as_text(block.bytes)), made.digest);
  sending.sent += made.size;
}

Task<void> MountExchange::send(CacheKey key, std::string path) {
  const std::unique_ptr<CacheDirectory> cache = try_open_cache(path);
  if (!cache || !cache->filled()) {
    spdlog::debug("the cache mount '{}' is in use by others, who will send it", shown(key));
    co_return;
  }
  Sending sending;
  const std::string data = cache->data();
  const auto list = [&sending, &data] {
    sending.files = list_cache(data);
    sending.index = write_index(sending.files);
    sending.size = content_size(sending.files);
  };
  co_await io::offload(session_.runtime.waiting(), list);
  const std::uint64_t limit = session_.request.cache.mounts_limit;
  if (limit > 0 && sending.size > limit) {
    throw io::Error(io::ErrorKind::unsupported,
                    fmt::format("it has {}, which is more than --cache-mounts-limit", megabytes(sending.size)));
  }
  const std::string tag = tag_of(key);
  sending.index_digest = raw_digest(io::as_bytes(sending.index));
  try {
    sending.known = co_await find(tag);
  } catch (const io::Error& error) {
    if (error.kind() != io::ErrorKind::integrity && error.kind() != io::ErrorKind::protocol) throw;
    spdlog::debug("the cache mount that is there is not looked at: {}", error.message());
  }
  if (sending.known && sending.known->index == sending.index_digest) co_return;
  const auto started = std::chrono::steady_clock::now();
  std::optional<io::Error> refused;
  try {
    co_await send_mount(sending, key, data);
  } catch (const io::Error& error) {
    if (!sending.known || error.kind() == io::ErrorKind::cancelled || error.kind() == io::ErrorKind::filesystem) throw;
    refused = error;
  }
  if (refused) {
    spdlog::debug("chunks that should be there are sent again: {}", refused->message());
    sending.begin_again();
    co_await send_mount(sending, key, data);
  }
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - started;
  session_.progress.message(fmt::format("cache mount '{}': {} in {} chunks, {} sent to {} in {:.2f} s", shown(key),
                                        megabytes(sending.size), sending.chunks.size(), megabytes(sending.sent), repository_,
                                        took.count()));
}

Task<void> MountExchange::send_mount(Sending& sending, CacheKey key, std::string data) {
  const Chunker chunker(Chunker::average_for(sending.size + sending.index.size()));
  while (!sending.ended) co_await send_some(sending, chunker, data);
  std::map<std::string, std::string> annotations = {{mount_id_annotation, shown(key)},
                                                    {created_annotation, created_text(io::seconds_now())},
                                                    {index_annotation, sending.index_digest},
                                                    {index_size_annotation, std::to_string(sending.index.size())}};
  co_await push_artifact(writer_, repository_, tag_of(key), make_artifact(mount_type, sending.chunks, std::move(annotations)));
}

// As many chunks at once as there is room for; the next ones are cut meanwhile.
Task<void> MountExchange::send_some(Sending& sending, const Chunker& chunker, const std::string& data) {
  io::TaskGroup group(session_.runtime.executor());
  for (std::size_t busy = 0; busy < chunks_at_once;) {
    const auto cut = [&sending, &chunker, &data] { return sending.next(chunker, data); };
    RawChunk raw = co_await io::offload(session_.runtime.waiting(), cut);
    if (!raw.bytes) {
      sending.ended = true;
      break;
    }
    if (const oci::Descriptor* known = sending.find(raw.digest)) {
      sending.chunks.push_back(*known);
      continue;
    }
    oci::Descriptor chunk;
    chunk.annotations = {{raw_annotation, raw.digest}, {size_annotation, std::to_string(raw.bytes->size())}};
    sending.chunks.push_back(std::move(chunk));
    ++busy;
    group.spawn(send_chunk(sending, sending.chunks.size() - 1, std::move(raw.bytes)));
  }
  co_await group.join();
}

}  // namespace kiln::engine
