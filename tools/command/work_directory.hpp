// The directory of one build: spool, scratch files, root file systems.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "io/base/fd.hpp"

namespace kiln::tools {

// Made below `base` under a random name. At the end it is renamed and deleted by a process of its own at low priority, as
// git's automatic gc and Bazel's sandboxes do: deleting a root file system of 50,000 files takes longer than many builds.
// KILN_FOREGROUND_CLEANUP=1 waits for it. Names: BASE/kiln-XXXXXX, then BASE/kiln-trash-XXXXXX.
class WorkDirectory {
 public:
  // In the first of `bases` where a directory can be made. What builds and deletions that were killed have left in there is
  // deleted as well: each holds a lock on its own directory. Errors: io::Error(filesystem) naming all bases.
  explicit WorkDirectory(const std::vector<std::string>& bases);
  ~WorkDirectory();
  // The destructor waits until everything is deleted.
  void delete_in_foreground() { foreground_ = true; }
  WorkDirectory(const WorkDirectory&) = delete;
  WorkDirectory& operator=(const WorkDirectory&) = delete;
  const std::string& path() const { return path_; }

 private:
  std::string base_;
  std::string path_;
  io::UniqueFd lock_;
  bool foreground_ = false;
};

// Entry of the process that deletes: `kiln empty-trash DIRECTORY [awaited]`. Refuses names that are not of this form. `mode` may be
// null.
int empty_trash_main(const char* directory, const char* mode);
inline constexpr std::string_view empty_trash_name = "empty-trash";

}  // namespace kiln::tools
