// A look at the disk with a Tree's stamps in hand: what may have changed since, and what is gone.
#pragma once

#include <string>
#include <unordered_map>
#include <vector>

#include "engine/rootfs/rootfs.hpp"
#include "engine/snapshot/disk_walk.hpp"
#include "engine/tree/tree.hpp"

namespace kiln::engine {

// What has to differ for an entry to be a candidate. All of them look at type, mode, owner and mtime.
enum class StampRule { mtime, mtime_and_size, inode_and_ctime };

bool may_have_changed(StampRule rule, const DiskStamp& then, const struct stat& now);

struct Findings {
  std::vector<DiskEntry> candidates;
  std::vector<std::string> removed;  // topmost paths that were on disk
  std::vector<DiskEntry> quiet;      // regular files that are no candidates, if asked for
};

class ScanVisitor final : public DiskVisitor {
 public:
  // `before` and `keep` are borrowed. With `list_quiet`, regular files that are no candidates are listed.
  ScanVisitor(const Tree& before, const ProtectedPaths& keep, StampRule rule, bool list_quiet = false)
      : before_(before), keep_(keep), rule_(rule), list_quiet_(list_quiet) {}

  void enter(const std::string& directory) override;
  void entry(std::string_view name, const struct stat& status) override;
  void leave(int directory) override;

  Findings found;

 private:
  const Tree& before_;
  const ProtectedPaths& keep_;
  StampRule rule_;
  bool list_quiet_;
  std::string directory_;
  Tree::View view_;         // of the directory
  std::vector<bool> seen_;  // its children, by number
};

// What files held before a RUN, where it can still be read. Metadata cannot decide about a file of which only the ctime or
// the inode's number differs (a chown to the same owner; another name of its inode added or removed), so its content is.
class Originals {
 public:
  explicit Originals(io::Runtime& runtime) : runtime_(runtime) {}

  // The files among `changes` now are in the layer `blob` as well as on disk, where the next RUN may write over them.
  void keep(const Tree& tree, const Changes& changes, const oci::SpoolBlobPtr& blob);

  // For the candidates that need it; contents of layers become scratch files.
  io::Task<std::unordered_map<std::string, Content>> fetch(Rootfs& root, const Tree& before,
                                                           const std::vector<DiskEntry>& candidates);

 private:
  Content original_of(const Rootfs& root, const Node& node, const std::string& path) const;

  io::Runtime& runtime_;
  std::unordered_map<std::string, Content> captured_;
};

// Everything below a root of one directory that `rule` makes a candidate.
io::Task<Findings> scan_all(io::Runtime& runtime, const Rootfs& root, const Tree& before, StampRule rule, bool list_quiet = false);

// Brings `tree` up to date with what was found in a root of one directory, and gives what changed.
io::Task<Changes> apply_findings(io::Runtime& runtime, Originals& originals, Rootfs& root, Tree& tree, Findings found);

}  // namespace kiln::engine
