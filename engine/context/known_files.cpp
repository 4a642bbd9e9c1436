#include "engine/context/known_files.hpp"

#include <sys/stat.h>
#include <sys/statfs.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <iterator>
#include <tuple>
#include <type_traits>

#include <fmt/format.h>

#include "io/base/error.hpp"

namespace kiln::engine {

namespace {

constexpr std::array<char, 8> magic = {'k', 'i', 'l', 'n', 'f', 'i', 'l', 'e'};
constexpr std::uint32_t byte_order = 0x01020304;
constexpr std::uint32_t version = 1;
constexpr std::uint16_t longest_use = 30;  // days

struct Header {
  std::array<char, 8> magic;
  std::uint32_t byte_order;
  std::uint32_t version;
  std::uint64_t count;
  io::Xxh128Value checksum;
  std::array<std::byte, 24> reserved;
};
static_assert(sizeof(Header) == 64 && std::is_trivially_copyable_v<Header>);
static_assert(sizeof(KnownFile) == 64 && std::is_trivially_copyable_v<KnownFile>);

constexpr unsigned tmpfs = 0x01021994;
// ext2 to ext4, XFS, Btrfs, tmpfs, overlay, ZFS, F2FS, bcachefs (statfs(2), linux/magic.h).
constexpr std::array<unsigned, 8> local_file_systems = {0xef53,     0x58465342, 0x9123683e, tmpfs,
                                                        0x794c7630, 0x2fc12fc1, 0xf2f52010, 0xca451a4e};

io::Bytes bytes_of(std::span<const KnownFile> files) { return std::as_bytes(files); }

io::Xxh128Value checksum_of(io::Bytes bytes) {
  io::Xxh128 hash;
  hash.update(bytes);
  return hash.finish();
}

}  // namespace

bool before(const KnownFile& a, const KnownFile& b) { return std::tie(a.file_system, a.inode) < std::tie(b.file_system, b.inode); }

std::optional<std::uint32_t> file_system_id(int file) {
  struct statfs system{};
  struct stat status{};
  if (fstatfs(file, &system) != 0 || fstat(file, &status) != 0) return std::nullopt;
  const auto type = static_cast<unsigned>(system.f_type);
  if (std::ranges::find(local_file_systems, type) == local_file_systems.end()) return std::nullopt;
  io::Xxh128 hash;
  const std::uint64_t device = status.st_dev;
  hash.update(std::as_bytes(std::span(&device, 1)));
  hash.update(std::as_bytes(std::span(&type, 1)));
  hash.update(std::as_bytes(std::span(&system.f_fsid, 1)));
  std::uint32_t id = 0;
  const io::Xxh128Value value = hash.finish();
  std::memcpy(&id, value.data(), sizeof id);
  return id;
}

bool attributes_change_ctime(int file) {
  struct statfs system{};
  return fstatfs(file, &system) == 0 && static_cast<unsigned>(system.f_type) != tmpfs;
}

// A ctime without nanoseconds comes from a file system that has none: it says too little.
bool settled(std::int64_t ctime_ns, std::int64_t now_ns) {
  return ctime_ns % 1'000'000'000 != 0 && ctime_ns + settling_ns <= now_ns;
}

KnownFiles::KnownFiles(std::vector<KnownFile> sorted)
    : files_(std::move(sorted)), found_(std::make_unique<std::atomic<bool>[]>(files_.size())) {}

const KnownFile* KnownFiles::find(std::uint32_t file_system, std::uint64_t inode, std::int64_t ctime_ns, std::uint64_t size) const {
  KnownFile wanted;
  wanted.file_system = file_system;
  wanted.inode = inode;
  const auto found = std::lower_bound(files_.begin(), files_.end(), wanted, before);
  if (found == files_.end() || found->file_system != file_system || found->inode != inode) return nullptr;
  if (found->ctime_ns != ctime_ns || found->size != size) return nullptr;
  found_[static_cast<std::size_t>(found - files_.begin())].store(true, std::memory_order_relaxed);
  return &*found;
}

std::vector<KnownFile> KnownFiles::used(std::uint16_t today) const {
  std::vector<KnownFile> files;
  for (std::size_t i = 0; i < files_.size(); ++i) {
    if (files_[i].used == today || !found_[i].load(std::memory_order_relaxed)) continue;
    files.push_back(files_[i]);
    files.back().used = today;
  }
  return files;
}

std::vector<KnownFile> parse_known_files(io::Bytes bytes) {
  Header header{};
  if (bytes.size() < sizeof header || std::memcmp(bytes.data(), magic.data(), magic.size()) != 0) {
    throw io::Error(io::ErrorKind::unsupported, "it is something else");
  }
  std::memcpy(&header, bytes.data(), sizeof header);
  if (header.byte_order != byte_order) throw io::Error(io::ErrorKind::unsupported, "it is of a machine with another byte order");
  if (header.version != version) {
    throw io::Error(io::ErrorKind::unsupported, fmt::format("it has version {} and not {}", header.version, version));
  }
  const io::Bytes entries = bytes.subspan(sizeof header);
  if (entries.size() % sizeof(KnownFile) != 0 || entries.size() / sizeof(KnownFile) != header.count) {
    throw io::Error(io::ErrorKind::integrity, fmt::format("it has {} bytes, which are not {} entries", bytes.size(), header.count));
  }
  if (checksum_of(entries) != header.checksum) throw io::Error(io::ErrorKind::integrity, "its checksum is another");
  std::vector<KnownFile> files(header.count);
  if (!files.empty()) std::memcpy(files.data(), entries.data(), entries.size());
  if (!std::ranges::is_sorted(files, before)) throw io::Error(io::ErrorKind::integrity, "it is not sorted");
  return files;
}

std::string serialize(std::span<const KnownFile> sorted) {
  Header header{magic, byte_order, version, sorted.size(), checksum_of(bytes_of(sorted)), {}};
  std::string text(reinterpret_cast<const char*>(&header), sizeof header);
  text.append(reinterpret_cast<const char*>(sorted.data()), sorted.size_bytes());
  return text;
}

std::vector<KnownFile> merge_known_files(std::span<const KnownFile> fresh, std::span<const KnownFile> older, std::uint16_t today,
                                         std::size_t limit) {
  std::vector<KnownFile> merged;
  merged.reserve(fresh.size() + older.size());
  std::ranges::set_union(fresh, older, std::back_inserter(merged), before);
  std::erase_if(merged, [today](const KnownFile& file) { return file.used + longest_use < today; });
  const std::size_t most = limit < sizeof(Header) ? 0 : (limit - sizeof(Header)) / sizeof(KnownFile);
  if (merged.size() <= most) return merged;
  const auto cut = merged.begin() + static_cast<std::ptrdiff_t>(most);
  const auto newer = [](const KnownFile& a, const KnownFile& b) {
    return std::tie(a.used, a.ctime_ns) > std::tie(b.used, b.ctime_ns);
  };
  std::nth_element(merged.begin(), cut, merged.end(), newer);
  merged.erase(cut, merged.end());
  std::ranges::sort(merged, before);
  return merged;
}

}  // namespace kiln::engine
