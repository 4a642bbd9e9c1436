#include "engine/cache/fingerprint.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstring>
#include <span>

#include <fmt/format.h>

#include "engine/cache/key.hpp"
#include "io/base/error.hpp"
#include "io/loop/notify.hpp"

namespace kiln::engine {

namespace {

using io::Task;

constexpr std::size_t most_text = 256U << 10U;
// What stands before a regular file's bytes.
constexpr char own_bytes = 'b';
constexpr char other_name = 'l';

std::int64_t now_ns() {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return std::chrono::duration_cast<std::chrono::nanoseconds>(now).count();
}

std::uint32_t shortened(const io::Sha256Value& hash) {
  std::uint32_t value = 0;
  for (std::size_t i = 0; i < 4; ++i) value = value << 8U | std::to_integer<std::uint32_t>(hash[i]);
  return value;
}

}  // namespace

std::uint32_t hash_in_short(std::string_view content) { return shortened(io::sha256(io::as_bytes(content))); }

void Listing::tell(std::string_view path, const Node& node) {
  if (node.type == FileType::regular) return;
  FileHash file{std::string(path), 'o', node.mode, 0};
  if (node.is_directory()) file.type = 'd';
  if (node.type == FileType::symlink) {
    file.type = 'l';
    file.hash = hash_in_short(node.link_target);
  }
  told_.push_back(std::move(file));
}

Listing::Listing(FileMemory* memory) : memory_(memory), known_(memory ? memory->files() : nullptr) {
  frame(cache_key_version);
  frame("listing");
}

// Eight bytes, the lowest first.
void Listing::number(std::uint64_t value) {
  for (unsigned i = 0; i < 8; ++i) text_ += static_cast<char>((value >> (8 * i)) & 0xffU);
}

void Listing::frame(std::string_view text) {
  number(text.size());
  text_ += text;
}

void Listing::part(std::string_view name) {
  frame("");
  frame(name);
}

void Listing::add(std::string_view path, const Node& node) {
  frame(path.empty() ? "." : path);
  number(static_cast<std::uint64_t>(node.type) << 32U | node.mode);
  number(static_cast<std::uint64_t>(node.uid) << 32U | node.gid);
  if (node.type == FileType::symlink) frame(node.link_target);
  if (node.type == FileType::char_device || node.type == FileType::block_device) {
    number(static_cast<std::uint64_t>(node.device_major) << 32U | node.device_minor);
  }
  add_attributes(node);
  if (node.type == FileType::regular) {
    add_state(path, node);
    add_bytes(node);
  }
  flush();
}

void Listing::add_state(std::string_view path, const Node& node) {
  if (!node.content.directory) return;
  const std::array<std::uint64_t, 5> numbers = {node.stamp.inode, static_cast<std::uint64_t>(node.stamp.ctime_ns), node.size,
                                                static_cast<std::uint64_t>(node.mtime.seconds), node.mtime.nanoseconds};
  state_.update(io::as_bytes(path));
  state_.update(std::as_bytes(std::span(numbers)));
}

std::string Listing::state() const { return io::to_hex(state_.finish()); }

void Listing::add_attributes(const Node& node) {
  number(node.xattrs ? node.xattrs->size() : 0);
  if (!node.xattrs) return;
  for (const auto& [name, value] : *node.xattrs) {
    frame(name);
    frame(value);
  }
}

void Listing::add_bytes(const Node& node) {
  if (node.link_id != 0) {
    const auto [inode, first] = inodes_.try_emplace(node.link_id, inodes_.size());
    text_ += first ? own_bytes : other_name;
    number(inode->second);
    if (!first) return;
  } else {
    text_ += own_bytes;
  }
  const auto file_system = memory_ && node.stamp.on_disk() ? file_system_of(node.content) : std::nullopt;
  const KnownFile* known =
      file_system ? known_->find(*file_system, node.stamp.inode, node.stamp.ctime_ns, node.stamp.size) : nullptr;
  if (node.content.directory) told_.push_back({node.content.path, 'f', node.mode, known ? shortened(known->digest) : 0});
  if (known) {
    text_.append(reinterpret_cast<const char*>(known->digest.data()), known->digest.size());
    return;
  }
  gaps_.push_back(
      {text_.size(), node.content.directory ? told_.size() : 0, file_system.value_or(0), file_system.has_value(), !node.xattrs});
  missing_.push_back({node.content, node.size, memory_ ? node.stamp : DiskStamp(), {}, false});
  text_.append(io::Sha256Value().size(), '\0');
}

std::optional<std::uint32_t> Listing::file_system_of(const Content& content) {
  if (!content.directory) return std::nullopt;
  if (content.directory != directory_) {
    directory_ = content.directory;
    file_system_ = file_system_id(directory_->directory.get());
  }
  return file_system_;
}

// Text behind a gap waits for it.
void Listing::flush() {
  if (!gaps_.empty() || text_.size() < most_text) return;
  hash_.update(io::as_bytes(text_));
  text_.clear();
}

void Listing::add(const Tree& tree, const Changes& changes) {
  for (const auto& change : changes) {
    const auto node = change.kind == Change::Kind::put ? tree.find(change.path) : std::nullopt;
    if (node) add(change.path, *node);
  }
}

namespace {

// What was written to just now may be written to again under the same ctime.
Task<void> let_settle(const std::vector<HashedFile>& files) {
  std::int64_t newest = 0;
  for (const auto& file : files) newest = std::max(newest, file.stamp.ctime_ns);
  const std::int64_t left = newest + settling_ns - now_ns();
  if (left > 0 && left <= settling_ns) co_await io::sleep_for(std::chrono::nanoseconds(left));
}

}  // namespace

Task<std::string> fingerprint(io::Runtime& runtime, Listing& listing) {
  co_await let_settle(listing.missing_);
  const std::int64_t read_at = now_ns();
  co_await hash_files(runtime, listing.missing_);
  std::vector<KnownFile> read;
  for (std::size_t i = 0; i < listing.missing_.size(); ++i) {
    const HashedFile& file = listing.missing_[i];
    const Listing::Gap& gap = listing.gaps_[i];
    if (file.changed) {
      throw io::Error(io::ErrorKind::integrity, fmt::format("'{}' changes while the build reads it", file.content.path));
    }
    std::memcpy(listing.text_.data() + gap.at, file.hash.data(), file.hash.size());
    if (gap.told > 0) listing.told_[gap.told - 1].hash = shortened(file.hash);
    if (!gap.remembered || !settled(file.stamp.ctime_ns, read_at)) continue;
    KnownFile known;
    known.file_system = gap.file_system;
    known.plain = gap.plain ? 1 : 0;
    known.inode = file.stamp.inode;
    known.ctime_ns = file.stamp.ctime_ns;
    known.size = file.stamp.size;
    known.digest = file.hash;
    read.push_back(known);
  }
  if (listing.memory_) listing.memory_->add(std::move(read));
  const auto finish = [&listing] {
    listing.hash_.update(io::as_bytes(listing.text_));
    return io::to_hex(listing.hash_.finish());
  };
  std::string digest = co_await io::offload(runtime.cpu(), finish);
  co_return digest;
}

}  // namespace kiln::engine
