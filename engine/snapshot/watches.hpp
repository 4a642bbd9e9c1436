// inotify on the directories of a root: in which of them something happened, and whether that is the whole truth.
//
// A directory's watch tells of every change made through a name in it: a file that was open for writing, or mapped, when it
// was last closed or unmapped, which is before the end of the process; all else at once. It does not tell what a name stands
// for. Another name of an old file that came and went, in a directory nobody watched or as a file that is gone, may have been
// written through; then, and when the kernel's queue was too short, there is doubt.
// Not seen: a file opened by handle and not by name (CAP_DAC_READ_SEARCH on the host), and one that was changed through a
// hard link made inside a protected path.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "engine/rootfs/protected_paths.hpp"
#include "io/base/fd.hpp"

struct inotify_event;

namespace kiln::engine {

class Watches {
 public:
  // Starts anew with nothing watched. False where the kernel refuses, with the reason in why().
  bool open();
  bool is_open() const { return static_cast<bool>(inotify_); }
  void close();

  // Watches `path` below `root`; one that is not there is left out. False when the kernel refuses (the limit of
  // fs.inotify.max_user_watches), with the reason in why().
  bool add(int root, const std::string& path);
  bool watched(const std::string& path) const { return numbers_.contains(path); }
  std::size_t size() const { return paths_.size(); }

  // Takes what has happened since the last time. What `keep` covers does not count.
  void drain(const ProtectedPaths& keep);

  // Directories in which something happened.
  std::unordered_set<std::string>& touched() { return touched_; }
  // Why touched() may not be all; empty: it is.
  const std::string& doubt() const { return doubt_; }
  // Are the paths of what is watched no longer sure? Then open() is called for.
  bool stale() const { return stale_; }
  void forget_doubt();

  const std::string& why() const { return why_; }

 private:
  void take(const inotify_event& event, std::string_view name, const ProtectedPaths& keep);
  void take_file(const inotify_event& event, const std::string& path);
  void doubt(std::string reason);

  io::UniqueFd inotify_;
  std::unordered_map<int, std::string> paths_;    // by watch
  std::unordered_map<std::string, int> numbers_;  // the other way round
  std::unordered_set<std::string> touched_;
  std::unordered_set<std::string> born_;  // files whose names were made since forget_doubt()
  std::map<std::uint32_t, bool> moving_;  // by cookie: was the name that is being moved a born one?
  std::string doubt_;
  bool stale_ = false;
  std::string why_;
};

}  // namespace kiln::engine
