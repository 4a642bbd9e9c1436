// The known files of one user, kept in a file from build to build.
//
// Several builders may share the file: it is read whole and replaced whole, by rename. Two that replace it at the same moment lose
// what one of them has learnt, which the next build reads again. A file that is damaged, not of this kind, or that others may
// write to is left out with a warning; nothing about it is ever an error.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "engine/context/known_files.hpp"

namespace kiln::engine {

inline constexpr std::size_t largest_file_memory = 32U << 20U;  // bytes: half a million files

class FileMemory {
 public:
  // `path`: the file; empty: what is known ends with the process.
  explicit FileMemory(std::string path, std::size_t limit = largest_file_memory);

  // What is known now. The first call reads the file. From any thread.
  std::shared_ptr<const KnownFiles> files();

  // Files that have been read: settled, in any order.
  void add(std::vector<KnownFile> read);

  // Brings the file up to date where there is something new. Blocks.
  void save();

 private:
  std::vector<KnownFile> read_file();

  std::string path_;
  std::size_t limit_;
  bool may_write_ = true;  // what is at `path_` is ours
  bool told_ = false;      // that it is not used
  std::mutex mutex_;
  std::shared_ptr<const KnownFiles> files_;  // null: not read yet
  std::vector<KnownFile> fresh_;             // not saved yet, sorted
};

}  // namespace kiln::engine
