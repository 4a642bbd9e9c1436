#include "oci/tar/reader.hpp"

#include <archive.h>
#include <archive_entry.h>

#include <algorithm>
#include <cstring>
#include <exception>
#include <string_view>
#include <vector>

#include <fmt/format.h>

#include "io/base/error.hpp"

namespace kiln::oci {

struct TarReader::State {
  explicit State(io::ByteSource& the_source) : source(the_source), buffer(256U << 10U) {}
  ~State() { archive_read_free(archive); }
  State(const State&) = delete;
  State& operator=(const State&) = delete;

  io::ByteSource& source;
  std::vector<std::byte> buffer;
  struct archive* archive = archive_read_new();
  std::exception_ptr source_error;
  std::string last_path;

  // What libarchive asks for more bytes with; an error of the source waits until libarchive has returned.
  static la_ssize_t read(struct archive* reader, void* self, const void** out) {
    auto& state = *static_cast<State*>(self);
    try {
      const io::Bytes bytes = state.source.next(state.buffer);
      *out = bytes.data();
      return static_cast<la_ssize_t>(bytes.size());
    } catch (...) {
      state.source_error = std::current_exception();
      archive_set_error(reader, EIO, "the source failed");
      return -1;
    }
  }

  [[noreturn]] void fail() {
    if (source_error) std::rethrow_exception(source_error);
    const char* why = archive_error_string(archive);
    throw io::Error(
        io::ErrorKind::integrity,
        fmt::format("damaged tar{}: {}", last_path.empty() ? "" : fmt::format(" after '{}'", last_path), why ? why : "unknown"));
  }
};

namespace {

FileType type_of(struct archive_entry* entry) {
  if (archive_entry_hardlink(entry)) return FileType::hard_link;
  switch (archive_entry_filetype(entry)) {
    case AE_IFDIR: return FileType::directory;
    case AE_IFLNK: return FileType::symlink;
    case AE_IFCHR: return FileType::char_device;
    case AE_IFBLK: return FileType::block_device;
    case AE_IFIFO: return FileType::fifo;
    default: return FileType::regular;
  }
}

Xattrs xattrs_of(struct archive_entry* entry) {
  Xattrs xattrs;
  const char* name = nullptr;
  const void* value = nullptr;
  std::size_t size = 0;
  archive_entry_xattr_reset(entry);
  while (archive_entry_xattr_next(entry, &name, &value, &size) == ARCHIVE_OK) {
    if (name) xattrs[name] = std::string(static_cast<const char*>(value), size);
  }
  return xattrs;
}

TarEntry convert(struct archive_entry* raw) {
  TarEntry entry;
  const char* path = archive_entry_pathname(raw);
  entry.path = clean_tar_path(path ? path : "");
  entry.type = type_of(raw);
  entry.mode = archive_entry_perm(raw) & 07777;
  entry.uid = static_cast<std::uint32_t>(archive_entry_uid(raw));
  entry.gid = static_cast<std::uint32_t>(archive_entry_gid(raw));
  entry.mtime = {archive_entry_mtime(raw), static_cast<std::uint32_t>(archive_entry_mtime_nsec(raw))};
  if (entry.type == FileType::hard_link) {
    entry.link_target = clean_tar_path(archive_entry_hardlink(raw));
  } else if (entry.type == FileType::symlink) {
    const char* target = archive_entry_symlink(raw);
    entry.link_target = target ? target : "";
  } else if (entry.type == FileType::regular) {
    entry.size = static_cast<std::uint64_t>(std::max<la_int64_t>(archive_entry_size(raw), 0));
  } else if (entry.type == FileType::char_device || entry.type == FileType::block_device) {
    entry.device_major = static_cast<std::uint32_t>(archive_entry_rdevmajor(raw));
    entry.device_minor = static_cast<std::uint32_t>(archive_entry_rdevminor(raw));
  }
  if (archive_entry_xattr_count(raw) > 0) entry.xattrs = xattrs_of(raw);
  return entry;
}

}  // namespace

TarReader::TarReader(io::ByteSource& source) : state_(std::make_unique<State>(source)) {
  archive_read_support_format_tar(state_->archive);
  archive_read_support_format_empty(state_->archive);
  if (archive_read_open(state_->archive, state_.get(), nullptr, State::read, nullptr) != ARCHIVE_OK) state_->fail();
}

TarReader::~TarReader() = default;

std::optional<TarEntry> TarReader::next() {
  struct archive_entry* raw = nullptr;
  const int result = archive_read_next_header(state_->archive, &raw);
  if (result == ARCHIVE_EOF) {
    if (state_->source_error) state_->fail();
    return std::nullopt;
  }
  // A warning is about names that are not in the locale's encoding; the raw bytes are there.
  if (result != ARCHIVE_OK && result != ARCHIVE_WARN) state_->fail();
  TarEntry entry = convert(raw);
  state_->last_path = entry.path;
  return entry;
}

std::size_t TarReader::read(io::MutableBytes buffer) {
  const la_ssize_t count = archive_read_data(state_->archive, buffer.data(), buffer.size());
  if (count < 0) state_->fail();
  return static_cast<std::size_t>(count);
}

std::optional<TarReader::Block> TarReader::next_block() {
  const void* data = nullptr;
  std::size_t size = 0;
  la_int64_t offset = 0;
  const int result = archive_read_data_block(state_->archive, &data, &size, &offset);
  if (result == ARCHIVE_EOF) return std::nullopt;
  if (result != ARCHIVE_OK && result != ARCHIVE_WARN) state_->fail();
  return Block{io::Bytes(static_cast<const std::byte*>(data), size), static_cast<std::uint64_t>(offset)};
}

std::string clean_tar_path(std::string_view path) {
  std::string cleaned;
  for (std::size_t at = 0; at <= path.size();) {
    const std::size_t slash = std::min(path.find('/', at), path.size());
    const std::string_view part = path.substr(at, slash - at);
    at = slash + 1;
    if (part.empty() || part == ".") continue;
    if (part == "..") throw io::Error(io::ErrorKind::integrity, fmt::format("tar entry '{}' leaves the archive's root", path));
    if (!cleaned.empty()) cleaned += '/';
    cleaned += part;
  }
  return cleaned;
}

}  // namespace kiln::oci
