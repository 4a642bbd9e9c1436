#include "bench/phases/plain_tar.hpp"

#include <algorithm>
#include <charconv>
#include <cstring>
#include <string_view>
#include <utility>

#include "io/base/error.hpp"

namespace kiln::bench {

namespace {

constexpr std::size_t block_size = 512;

// Octal digits, or with the first bit set a binary number (GNU).
std::uint64_t number_at(const char* field, std::size_t size) {
  std::uint64_t value = 0;
  if ((static_cast<unsigned char>(field[0]) & 0x80U) != 0) {
    for (std::size_t i = 1; i < size; ++i) value = value << 8U | static_cast<unsigned char>(field[i]);
    return value;
  }
  for (std::size_t i = 0; i < size && field[i] != 0; ++i) {
    if (field[i] >= '0' && field[i] <= '7') value = value * 8 + static_cast<unsigned>(field[i] - '0');
  }
  return value;
}

std::string text_at(const char* field, std::size_t size) { return {field, strnlen(field, size)}; }

std::string without_edges(std::string path) {
  while (path.ends_with('/')) path.pop_back();
  while (path.starts_with("./")) path.erase(0, 2);
  while (path.starts_with('/')) path.erase(0, 1);
  return path == "." ? "" : path;
}

}  // namespace

PlainTar::PlainTar(io::ByteSource& source) : source_(source), scratch_(1U << 20U) {}

bool PlainTar::fill() {
  if (rest_.empty()) rest_ = source_.next(scratch_);
  return !rest_.empty();
}

bool PlainTar::read_block(char* block) {
  for (std::size_t used = 0; used < block_size;) {
    if (!fill()) {
      if (used == 0) return false;
      throw io::Error(io::ErrorKind::integrity, "the archive ends in the middle of a header");
    }
    const std::size_t count = std::min(block_size - used, rest_.size());
    std::memcpy(block + used, rest_.data(), count);
    rest_ = rest_.subspan(count);
    used += count;
  }
  return true;
}

io::Bytes PlainTar::content() {
  if (left_ == 0) return {};
  if (!fill()) throw io::Error(io::ErrorKind::integrity, "the archive ends in the middle of a file");
  const io::Bytes piece = rest_.first(static_cast<std::size_t>(std::min<std::uint64_t>(left_, rest_.size())));
  rest_ = rest_.subspan(piece.size());
  left_ -= piece.size();
  return piece;
}

void PlainTar::skip_content() {
  while (!content().empty()) {
  }
  left_ = std::exchange(padding_, 0);
  while (!content().empty()) {
  }
}

std::string PlainTar::read_text(std::uint64_t size) {
  std::string text;
  text.reserve(size);
  for (io::Bytes piece = content(); !piece.empty(); piece = content()) text += io::as_text(piece);
  return text;
}

// "17 path=usr/bin/x\n" (pax, "Extended Header").
void PlainTar::apply_pax(const std::string& records) {
  for (std::size_t at = 0; at < records.size();) {
    std::size_t length = 0;
    const char* begin = records.data() + at;
    const auto [after, error] = std::from_chars(begin, records.data() + records.size(), length);
    if (error != std::errc() || length < 3 || at + length > records.size()) return;
    const std::string_view record(after + 1, static_cast<std::size_t>(begin + length - 1 - (after + 1)));
    const std::string_view key = record.substr(0, record.find('='));
    const std::string_view value = record.substr(std::min(record.size(), key.size() + 1));
    if (key == "path") long_path_ = value;
    if (key == "linkpath") long_link_ = value;
    if (key == "size") {
      std::uint64_t size = 0;
      std::from_chars(value.data(), value.data() + value.size(), size);
      long_size_ = size;
    }
    at += length;
  }
}

std::optional<PlainEntry> PlainTar::next() {
  char header[block_size];
  while (true) {
    skip_content();
    if (!read_block(header)) return std::nullopt;
    if (header[0] == 0) continue;
    PlainEntry entry;
    entry.type = header[156] == 0 ? '0' : header[156];
    entry.mode = static_cast<std::uint32_t>(number_at(header + 100, 8)) & 07777U;
    entry.uid = static_cast<std::uint32_t>(number_at(header + 108, 8));
    entry.gid = static_cast<std::uint32_t>(number_at(header + 116, 8));
    entry.size = number_at(header + 124, 12);
    entry.mtime = static_cast<std::int64_t>(number_at(header + 136, 12));
    const bool about_next = entry.type == 'x' || entry.type == 'g' || entry.type == 'L' || entry.type == 'K';
    if (!about_next && long_size_) entry.size = *std::exchange(long_size_, std::nullopt);
    left_ = entry.type >= '1' && entry.type <= '6' ? 0 : entry.size;
    padding_ = (block_size - left_ % block_size) % block_size;
    if (about_next) {
      const std::string text = read_text(left_);
      if (entry.type == 'x') apply_pax(text);
      if (entry.type == 'L') long_path_ = text.c_str();
      if (entry.type == 'K') long_link_ = text.c_str();
      continue;
    }
    const std::string prefix = std::memcmp(header + 257, "ustar\0", 6) == 0 ? text_at(header + 345, 155) : "";
    const std::string name = text_at(header, 100);
    const std::string path = long_path_.empty() ? (prefix.empty() ? name : prefix + "/" + name) : std::exchange(long_path_, {});
    entry.path = without_edges(path);
    entry.link = long_link_.empty() ? text_at(header + 157, 100) : std::exchange(long_link_, {});
    return entry;
  }
}

}  // namespace kiln::bench
