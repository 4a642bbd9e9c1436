// Files that wait outside the root for the turn of the layer they are in.
#pragma once

#include <memory>
#include <string>

#include "engine/rootfs/entry_writer.hpp"
#include "io/base/fd.hpp"

namespace kiln::engine {

// An open directory, shared with files that are still to be written into it or moved out of it.
using DirectoryHandle = std::shared_ptr<const io::UniqueFd>;

struct StagedFile {
  DirectoryHandle directory;
  std::string name;  // in `directory`
};

// The regular files of one layer below a directory of their own, complete with owner, mode, xattrs and times, so that all they
// need is a renameat. Spread over sub-directories: one large directory would be slow. For one thread; what nobody renames
// away stays.
class StagedFiles {
 public:
  // `parent` is an open directory, in which the sub-directories get names that begin with `prefix`. Both are borrowed.
  StagedFiles(int parent, std::string prefix, EntryWriter& entries)
      : parent_(parent), prefix_(std::move(prefix)), entries_(entries) {}

  // Writes the file that is to be at `path`. Errors: io::Error(filesystem) naming the path.
  StagedFile add(const std::string& path, Node node, const WriteContent& content);

 private:
  DirectoryHandle next_directory();

  int parent_;
  std::string prefix_;
  EntryWriter& entries_;
  DirectoryHandle directory_;
  unsigned directories_ = 0;
  unsigned files_ = 0;  // in directory_
};

// Whether a file can be renamed from one open directory to the other: both are on the same mount.
bool same_mount(int a, int b);

}  // namespace kiln::engine
