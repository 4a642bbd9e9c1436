#include "oci/store/image_store.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <filesystem>
#include <functional>
#include <set>
#include <thread>

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "io/base/error.hpp"
#include "io/base/seconds_now.hpp"
#include "io/codec/digest.hpp"
#include "io/file/make_directories.hpp"
#include "oci/image/config.hpp"
#include "oci/output/layout.hpp"
#include "oci/output/new_file.hpp"
#include "oci/output/read_layout.hpp"

namespace kiln::oci {

namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t largest_document = 16U << 20U;  // bytes of a manifest or config

}  // namespace

std::string name_of(const Descriptor& entry) {
  const auto found = entry.annotations.find(ref_name_annotation);
  return found == entry.annotations.end() ? "" : found->second;
}

void BlobFile::discard() const noexcept { unlink(path.c_str()); }

void BlobFile::verify() const {
  io::Sha256 hash;
  std::vector<std::byte> buffer(1U << 20U);
  for (std::uint64_t offset = 0;;) {
    const ssize_t count = pread(fd.get(), buffer.data(), buffer.size(), static_cast<off_t>(offset));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) io::throw_errno(errno, fmt::format("reading '{}'", path));
    if (count == 0) break;
    hash.update(io::Bytes(buffer).first(static_cast<std::size_t>(count)));
    offset += static_cast<std::uint64_t>(count);
  }
  if (Digest::from(hash.finish()) != descriptor.digest)
    throw io::Error(io::ErrorKind::integrity, fmt::format("'{}' does not have the digest in its name", path));
}

ImageStore::ImageStore(std::string directory) : directory_(std::move(directory)) {}

std::string ImageStore::blob_path(const Digest& digest) const { return layout_blob_path(directory_, digest); }

std::shared_ptr<const std::vector<Descriptor>> ImageStore::entries() const {
  const std::lock_guard lock(mutex_);
  const std::string path = directory_ + "/index.json";
  struct stat status{};
  if (stat(path.c_str(), &status) != 0) {
    if (errno != ENOENT && errno != ENOTDIR) io::throw_errno(errno, fmt::format("reading '{}'", path));
    return std::make_shared<const std::vector<Descriptor>>();
  }
  const Known found{status.st_ino, status.st_mtim.tv_sec * 1'000'000'000 + status.st_mtim.tv_nsec,
                    static_cast<std::uint64_t>(status.st_size)};
  if (entries_ && found == known_) return entries_;
  const std::string text = read_layout_file(path);
  entries_ = std::make_shared<const std::vector<Descriptor>>(
      io::with_context(path, [&] { return parse_index(text, media_type::oci_index).manifests; }));
  known_ = found;
  return entries_;
}

std::optional<Descriptor> ImageStore::find(std::string_view name) const {
  const auto all = entries();
  const auto found = std::ranges::find(*all, name, name_of);
  return found == all->end() ? std::nullopt : std::optional(*found);
}

std::optional<Descriptor> ImageStore::find(const Digest& digest, const Platform& platform) const {
  const auto all = entries();
  const auto found = std::ranges::find_if(*all, [&](const Descriptor& entry) {
    const auto index = entry.annotations.find(index_annotation);
    return entry.digest == digest ||
           (index != entry.annotations.end() && index->second == digest.text() && entry.platform == platform);
  });
  return found == all->end() ? std::nullopt : std::optional(*found);
}

BlobFilePtr ImageStore::open_blob(const Descriptor& descriptor) const {
  auto file = std::make_shared<BlobFile>();
  file->path = blob_path(descriptor.digest);
  file->descriptor = descriptor;
  file->fd = io::UniqueFd(open(file->path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  struct stat status{};
  if (!file->fd || fstat(file->fd.get(), &status) != 0 || !S_ISREG(status.st_mode)) return nullptr;
  return static_cast<std::uint64_t>(status.st_size) == descriptor.size ? file : nullptr;
}

std::string ImageStore::read_blob(const Descriptor& descriptor) const {
  if (descriptor.size > largest_document) {
    throw io::Error(io::ErrorKind::integrity,
                    fmt::format("'{}' is too large for a document: {} bytes", blob_path(descriptor.digest), descriptor.size));
  }
  try {
    return read_layout_blob(directory_, descriptor.digest);
  } catch (const io::Error& error) {
    if (error.kind() == io::ErrorKind::integrity) unlink(blob_path(descriptor.digest).c_str());
    throw;
  }
}

std::int64_t ImageStore::stored_at(const Descriptor& entry) const {
  const auto text = entry.annotations.find(stored_annotation);
  const auto time = text == entry.annotations.end() ? std::nullopt : parse_rfc3339(text->second);
  return time ? std::chrono::duration_cast<std::chrono::seconds>(time->time_since_epoch()).count() : 0;
}

std::int64_t ImageStore::used_at(const Descriptor& entry) const {
  struct stat status{};
  const bool there = stat(blob_path(entry.digest).c_str(), &status) == 0;
  return std::max(stored_at(entry), there ? static_cast<std::int64_t>(status.st_mtim.tv_sec) : 0);
}

void ImageStore::note_use(const Descriptor& entry) const noexcept {
  utimensat(AT_FDCWD, blob_path(entry.digest).c_str(), nullptr, 0);
}

void ImageStore::write_index(const std::vector<Descriptor>& entries) const {
  Index index;
  index.format = ImageFormat::oci;
  index.manifests = entries;
  write_text_file(directory_ + "/index.json", serialize(index));
}

namespace {

constexpr std::chrono::seconds patience(60);  // no holder of a lock needs as long

// Empty when others hold it for longer than `wait`.
io::UniqueFd lock_file(const std::string& path, int operation, std::chrono::seconds wait) {
  io::UniqueFd file(open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644));
  if (!file) io::throw_errno(errno, fmt::format("locking '{}'", path));
  const auto until = std::chrono::steady_clock::now() + wait;
  while (flock(file.get(), operation | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK && errno != EINTR) io::throw_errno(errno, fmt::format("locking '{}'", path));
    if (std::chrono::steady_clock::now() >= until) return {};
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  return file;
}

io::UniqueFd lock_or_fail(const std::string& path, int operation) {
  io::UniqueFd lock = lock_file(path, operation, patience);
  if (!lock) throw io::Error(io::ErrorKind::filesystem, fmt::format("'{}' stays locked by another process", path));
  return lock;
}

std::string writers_lock(const std::string& directory) { return directory + "/.kiln-writers"; }
std::string index_lock(const std::string& directory) { return directory + "/.kiln-index"; }

}  // namespace

ImageStore::Writer::Writer(const ImageStore& store) : store_(store) {
  io::make_directories(store.directory_ + "/blobs/sha256");
  lock_ = lock_or_fail(writers_lock(store.directory_), LOCK_SH);
}

void ImageStore::Writer::add(const Descriptor& descriptor, const SpoolBlob& blob, bool replace) {
  if (!replace && store_.open_blob(descriptor)) return;
  NewFile file(store_.blob_path(descriptor.digest));
  file.write(blob);
  file.keep();
}

void ImageStore::Writer::publish(const Image& image, const std::string& name, const Digest& index) {
  for (const auto& layer : image.manifest.layers) {
    if (!store_.open_blob(layer))
      throw io::Error(io::ErrorKind::filesystem, fmt::format("'{}' is gone", store_.blob_path(layer.digest)));
  }
  write_text_file(store_.blob_path(image.manifest.config.digest), image.config_bytes);
  write_text_file(store_.blob_path(image.manifest_digest), image.manifest_bytes);
  Descriptor entry = descriptor_of(image);
  entry.annotations[ref_name_annotation] = name;
  entry.annotations[stored_annotation] = format_rfc3339(Timestamp(std::chrono::seconds(io::seconds_now())));
  if (!index.empty()) entry.annotations[index_annotation] = index.text();
  add_entry(std::move(entry));
}

void ImageStore::Writer::add_entry(Descriptor entry) {
  const io::UniqueFd lock = lock_or_fail(index_lock(store_.directory_), LOCK_EX);
  if (!fs::exists(store_.directory_ + "/oci-layout")) write_text_file(store_.directory_ + "/oci-layout", oci_layout_text);
  std::vector<Descriptor> entries;
  try {
    entries = *store_.entries();
  } catch (const io::Error& error) {
    if (error.kind() == io::ErrorKind::filesystem) throw;
    spdlog::warn("{}; the index is begun afresh", error.message());
  }
  std::erase_if(entries,
                [&](const Descriptor& other) { return name_of(other) == name_of(entry) && other.platform == entry.platform; });
  entries.push_back(std::move(entry));
  store_.write_index(entries);
}

// Everything that an entry stands on, itself included; nothing when something of it is missing or makes no sense.
std::optional<std::vector<Descriptor>> ImageStore::blobs_of(const Descriptor& entry) const {
  std::vector<Descriptor> blobs = {entry};
  try {
    if (is_index(entry.media_type)) {
      // One that another program has put here; of its manifests those count that are here.
      for (const auto& manifest : parse_index(read_blob(entry), entry.media_type).manifests) {
        const auto more = blobs_of(manifest);
        if (more) blobs.insert(blobs.end(), more->begin(), more->end());
      }
      return blobs;
    }
    const Manifest manifest = parse_manifest(read_blob(entry), entry.media_type);
    blobs.push_back(manifest.config);
    blobs.insert(blobs.end(), manifest.layers.begin(), manifest.layers.end());
  } catch (const io::Error&) {
    return std::nullopt;
  }
  const bool complete = std::ranges::all_of(blobs, [&](const Descriptor& blob) { return open_blob(blob) != nullptr; });
  return complete ? std::optional(blobs) : std::nullopt;
}

namespace {

struct Candidate {
  Descriptor entry;
  std::vector<Descriptor> blobs;
  std::int64_t used = 0;
  std::size_t position = 0;  // in the index
};

// The blobs of the candidates that stay; those that go are moved to `gone`.
std::set<std::string> keep_within(std::vector<Candidate>& candidates, const std::optional<std::uint64_t>& limit,
                                  std::vector<Descriptor>& gone) {
  // Of two that were used at once the older comes first.
  std::ranges::sort(candidates, [](const Candidate& a, const Candidate& b) {
    return a.used != b.used ? a.used > b.used : a.position < b.position;
  });
  std::set<std::string> kept;
  std::uint64_t total = 0;
  std::size_t count = 0;
  for (; count < candidates.size(); ++count) {
    std::set<std::string> names;
    std::uint64_t more = 0;
    for (const auto& blob : candidates[count].blobs) {
      const std::string name(blob.digest.hex());
      if (!kept.contains(name) && names.insert(name).second) more += blob.size;
    }
    if (limit && total + more > *limit) break;
    total += more;
    kept.merge(names);
  }
  for (std::size_t i = count; i < candidates.size(); ++i) gone.push_back(candidates[i].entry);
  candidates.resize(count);
  return kept;
}

// Deletes what is not in `kept`; gives the bytes.
std::uint64_t sweep(const std::string& directory, const std::set<std::string>& kept, bool dry_run) {
  std::uint64_t bytes = 0;
  std::error_code ignored;
  for (const auto& file : fs::directory_iterator(directory, ignored)) {
    if (kept.contains(file.path().filename()) || !file.is_regular_file(ignored)) continue;
    bytes += file.file_size(ignored);
    if (!dry_run) fs::remove(file.path(), ignored);
  }
  return bytes;
}

}  // namespace

std::optional<ImageStore::Pruned> ImageStore::prune(const Limits& limits, bool patient) const {
  if (!fs::exists(directory_ + "/index.json")) return Pruned();
  const io::UniqueFd alone = lock_file(writers_lock(directory_), LOCK_EX, patient ? patience : std::chrono::seconds(0));
  if (!alone && !patient) return std::nullopt;
  if (!alone) throw io::Error(io::ErrorKind::filesystem, fmt::format("'{}' is being written to all the time", directory_));
  Pruned pruned;
  std::vector<Candidate> candidates;
  const auto all = entries();
  for (const auto& entry : *all) {
    auto blobs = blobs_of(entry);
    const auto known = limits.used.find(entry.digest);
    const std::int64_t used = known == limits.used.end() ? used_at(entry) : known->second;
    const bool old = limits.unwanted.contains(entry.digest) || (limits.used_after && used < *limits.used_after) ||
                     (limits.stored_after && stored_at(entry) < *limits.stored_after);
    if (!blobs || old) {
      pruned.entries.push_back(entry);
    } else {
      candidates.push_back({entry, std::move(*blobs), used, candidates.size()});
    }
  }
  const std::set<std::string> kept = keep_within(candidates, limits.size, pruned.entries);
  if (!limits.dry_run && !pruned.entries.empty()) {
    std::vector<Descriptor> left;
    for (auto& candidate : candidates) left.push_back(std::move(candidate.entry));
    write_index(left);
  }
  pruned.bytes = sweep(directory_ + "/blobs/sha256", kept, limits.dry_run);
  return pruned;
}

void ImageStore::trim(std::chrono::seconds age, std::uint64_t size) const {
  Limits limits;
  limits.used_after = io::seconds_now() - age.count();
  limits.size = size;
  prune(limits, false);
}

}  // namespace kiln::oci
