// What a COPY reads, as one digest.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "engine/cache/file_hashes.hpp"
#include "engine/context/file_memory.hpp"
#include "engine/tree/tree.hpp"
#include "io/loop/runtime.hpp"

namespace kiln::engine {

// A file that was read, in short.
struct FileHash {
  std::string path;  // in its directory
  char type = 'f';   // f, d, l, o
  std::uint32_t mode = 0;
  std::uint32_t hash = 0;  // of the content
};
using FileHashes = std::vector<FileHash>;
std::uint32_t hash_in_short(std::string_view content);  // as that of a file

// Paths with everything about them but times: name, type, mode, owner, link target, device, attributes, which names are one inode,
// and the bytes of regular files, which are in directories or inline. Fields are framed as in a key. Files that `memory` knows by
// their stamps are not read; without one (null) stamps do not count.
class Listing {
 public:
  explicit Listing(FileMemory* memory);

  // Begins a part of its own: a source, a match of a wildcard.
  void part(std::string_view name);
  void add(std::string_view path, const Node& node);
  void add(const Tree& tree, const Changes& changes);
  // Adds to take_files() what is at `path` in its directory and is no regular file.
  void tell(std::string_view path, const Node& node);
  // All that was told, and the regular files that were added; after fingerprint().
  FileHashes take_files() { return std::move(told_); }
  // A hash of which states of which files on disk were added: inodes, times and sizes.
  std::string state() const;

 private:
  friend io::Task<std::string> fingerprint(io::Runtime& runtime, Listing& listing);
  void number(std::uint64_t value);
  void frame(std::string_view text);
  void add_attributes(const Node& node);
  void add_bytes(const Node& node);
  void add_state(std::string_view path, const Node& node);
  std::optional<std::uint32_t> file_system_of(const Content& content);
  void flush();

  FileMemory* memory_;
  std::shared_ptr<const KnownFiles> known_;
  std::shared_ptr<const ContentDirectory> directory_;  // the last that was looked at, and its file system
  std::optional<std::uint32_t> file_system_;
  io::Sha256 hash_;
  io::Xxh128 state_;
  std::string text_;                 // not hashed yet
  std::vector<HashedFile> missing_;  // files that have to be read
  struct Gap {
    std::size_t at = 0;    // where in text_ its hash belongs
    std::size_t told = 0;  // and in told_, from 1; 0: nowhere
    std::uint32_t file_system = 0;
    bool remembered = false;  // it can be
    bool plain = false;
  };
  std::vector<Gap> gaps_;  // one for each of missing_
  FileHashes told_;
  std::unordered_map<std::uint64_t, std::uint64_t> inodes_;  // link_id -> its number
};

// SHA-256; once. Reads what has to be read, on all cores, and tells the memory. Errors: io::Error(filesystem) naming a file that
// cannot be read; io::Error(integrity) naming one that changes meanwhile.
io::Task<std::string> fingerprint(io::Runtime& runtime, Listing& listing);

}  // namespace kiln::engine
