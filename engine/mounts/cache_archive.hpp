// A directory of RUN --mount=type=cache as two streams: an index of its files, and their contents one after the other in the order
// of the index. Cut apart like this, a file that was only touched changes some lines and no content.
//
// A line of the index: TYPE MODE UID GID MTIME SIZE PATH[ TARGET], blanks between, paths and targets percent-encoded.
//   d directory, f file, l link (TARGET is what it says), h another name of the file TARGET; MTIME in nanoseconds
// Sorted, so that a directory comes before what is in it. Sockets, devices and pipes are left out, and attributes.
// Plain functions for the waiting pool.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "io/base/bytes.hpp"
#include "io/base/fd.hpp"

namespace kiln::engine {

struct CachedFile {
  char type = 'f';
  std::uint32_t mode = 0, uid = 0, gid = 0;
  std::int64_t mtime = 0;  // nanoseconds
  std::uint64_t size = 0;  // of a file
  std::string path;        // below the directory; the directory itself has none and is "d" with an empty path
  std::string target;
};

// Errors: io::Error(filesystem) naming the path. What cannot be read is an error, too: half a cache is none.
std::vector<CachedFile> list_cache(const std::string& directory);
std::uint64_t content_size(const std::vector<CachedFile>& files);

std::string write_index(const std::vector<CachedFile>& files);
// Errors: io::Error(integrity) for anything that is not as it is written, and for paths that lead out of the directory.
std::vector<CachedFile> parse_index(std::string_view text);

// Contents as a stream. A file that has shrunk since it was listed is filled up with zeros; one that has grown is cut.
class CacheContents {
 public:
  CacheContents(const std::string& directory, const std::vector<CachedFile>& files);
  // Fills the buffer as far as there is something. Errors: io::Error(filesystem).
  std::size_t read(io::MutableBytes buffer);

 private:
  io::UniqueFd root_;
  const std::vector<CachedFile>& files_;
  std::size_t next_ = 0;
  io::UniqueFd file_;
  std::uint64_t left_ = 0;  // of the open file
};

// The other way round, into an empty directory.
class CacheRestore {
 public:
  // `files` as parse_index gives them. Makes all directories.
  CacheRestore(const std::string& directory, const std::vector<CachedFile>& files);
  // Errors: io::Error(integrity) for more than there are files for.
  void write(io::Bytes bytes);
  // Links, owners (as far as that is allowed) and times. Errors: io::Error(integrity) when contents are missing.
  void finish();

 private:
  void open_next();
  void set_metadata(int at, const CachedFile& file) const;

  io::UniqueFd root_;
  const std::vector<CachedFile>& files_;
  std::size_t next_ = 0;  // after the open file
  io::UniqueFd file_;
  std::uint64_t left_ = 0;
};

}  // namespace kiln::engine
