#include "engine/rootfs/content_copy.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <vector>

#include <fmt/format.h>

#include "io/base/error.hpp"
#include "io/file/open_beneath.hpp"

namespace kiln::engine {

namespace {

io::UniqueFd open_source(const Content& content) {
  return io::open_beneath(content.directory->directory.get(), content.path, O_RDONLY | O_NONBLOCK);
}

// read and write, for file systems between which copy_file_range does not work.
void copy_by_hand(int source, int file, std::uint64_t offset, std::uint64_t size, const std::string& path) {
  std::vector<std::byte> buffer(256U << 10U);
  while (offset < size) {
    const ssize_t count =
        pread(source, buffer.data(), std::min<std::uint64_t>(buffer.size(), size - offset), static_cast<off_t>(offset));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) io::throw_errno(errno, fmt::format("reading '{}'", path));
    if (count == 0)
      throw io::Error(io::ErrorKind::filesystem, fmt::format("reading '{}': the file shrank while it was read", path));
    write_at(file, offset, io::Bytes(buffer).first(static_cast<std::size_t>(count)), path);
    offset += static_cast<std::uint64_t>(count);
  }
}

}  // namespace

void write_at(int file, std::uint64_t offset, io::Bytes bytes, const std::string& path) {
  while (!bytes.empty()) {
    const ssize_t count = pwrite(file, bytes.data(), bytes.size(), static_cast<off_t>(offset));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) io::throw_errno(errno, fmt::format("writing '/{}' (is the disk full?)", path));
    bytes = bytes.subspan(static_cast<std::size_t>(count));
    offset += static_cast<std::uint64_t>(count);
  }
}

void write_entry(oci::TarReader& archive, int file, std::uint64_t size, const std::string& path) {
  std::uint64_t written = 0;
  while (const auto block = archive.next_block()) {
    write_at(file, block->offset, block->bytes, path);
    written = block->offset + block->bytes.size();
  }
  // A file that ends in a hole.
  if (written < size && ftruncate(file, static_cast<off_t>(size)) != 0) io::throw_errno(errno, fmt::format("writing '/{}'", path));
}

void copy_content(const Content& content, std::uint64_t size, int file, const std::string& path) {
  if (content.inline_bytes) {
    write_at(file, 0, io::as_bytes(content.inline_bytes->bytes), path);
    return;
  }
  if (size == 0) return;
  if (!content.directory) throw io::Error(io::ErrorKind::internal, fmt::format("'{}' has no readable content", path));
  const io::UniqueFd source = open_source(content);
  if (!source) io::throw_errno(errno, fmt::format("opening '{}' of {}", content.path, content.directory->description));
  std::uint64_t offset = 0;
  while (offset < size) {
    off_t from = static_cast<off_t>(offset);
    off_t to = from;
    const ssize_t count = copy_file_range(source.get(), &from, file, &to, size - offset, 0);
    if (count <= 0) break;
    offset += static_cast<std::uint64_t>(count);
  }
  copy_by_hand(source.get(), file, offset, size, path);
}

std::string read_small(const Content& content, std::size_t limit) {
  if (content.inline_bytes) return content.inline_bytes->bytes.substr(0, limit);
  std::string text;
  if (!content.directory) return text;
  const io::UniqueFd source = open_source(content);
  if (!source) return text;
  text.resize(limit);
  const ssize_t count = pread(source.get(), text.data(), limit, 0);
  text.resize(static_cast<std::size_t>(std::max<ssize_t>(count, 0)));
  return text;
}

}  // namespace kiln::engine
