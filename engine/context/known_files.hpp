// What files held when they were last read, by inode: so that a context that did not change need not be read again.
//
// A file that has the device, inode, ctime and size of an entry holds what the entry says: ctime is the kernel's and cannot be set
// back. That is so on local file systems only (file_system_id()), and only when the entry's file had not been written to for a
// moment before it was read (settled()): else a second change might carry the same ctime, the race that git calls "racily clean".
// Not seen: bytes that another process writes through a mapping of the file without msync(2).
//
// On disk: a header of 64 bytes (magic, byte order, version, number, XXH3-128 of the entries), then 64 bytes an entry, sorted by
// file system and inode. Plain functions over bytes.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "io/base/bytes.hpp"
#include "io/codec/digest.hpp"

namespace kiln::engine {

struct KnownFile {
  std::uint32_t file_system = 0;
  std::uint16_t used = 0;   // day since 1970: when it was of use last
  std::uint16_t plain = 0;  // 1: it has no extended attributes
  std::uint64_t inode = 0;
  std::int64_t ctime_ns = 0;
  std::uint64_t size = 0;
  io::Sha256Value digest{};
  friend bool operator==(const KnownFile&, const KnownFile&) = default;
};

bool before(const KnownFile& a, const KnownFile& b);  // the order on disk

// The file system of an open file, as entries name it. Nothing for one whose ctimes or inodes are not to be relied on: network and
// FUSE file systems, and whatever is not known to be local.
std::optional<std::uint32_t> file_system_id(int file);
// Do attributes change the ctime there? On a tmpfs of older kernels they do not.
bool attributes_change_ctime(int file);

// May what is read at `now` be remembered for a file with this ctime (nanoseconds of the real-time clock)?
bool settled(std::int64_t ctime_ns, std::int64_t now_ns);
inline constexpr std::int64_t settling_ns = 20'000'000;  // two ticks of the slowest kernel (CONFIG_HZ=100)

// Looked up from several threads at once.
class KnownFiles {
 public:
  KnownFiles() = default;
  explicit KnownFiles(std::vector<KnownFile> sorted);

  // Null: not known, or another state of the file.
  const KnownFile* find(std::uint32_t file_system, std::uint64_t inode, std::int64_t ctime_ns, std::uint64_t size) const;
  std::span<const KnownFile> all() const { return files_; }
  // Those that find() has given and that do not say so yet.
  std::vector<KnownFile> used(std::uint16_t today) const;

 private:
  std::vector<KnownFile> files_;
  std::unique_ptr<std::atomic<bool>[]> found_;  // one for each of files_
};

// Errors: io::Error(unsupported) for a file that is not of this kind, or of another version or byte order; io::Error(integrity) for
// one that is damaged.
std::vector<KnownFile> parse_known_files(io::Bytes bytes);
std::string serialize(std::span<const KnownFile> sorted);

// Both sorted; `fresh` counts where both know an inode. What was of no use for a month goes, then what was of use longest ago until
// `limit` bytes stay.
std::vector<KnownFile> merge_known_files(std::span<const KnownFile> fresh, std::span<const KnownFile> older, std::uint16_t today,
                                         std::size_t limit);

}  // namespace kiln::engine
