// The detectors behind make_detector(), which chooses.
#pragma once

#include <memory>
#include <utility>

#include "engine/snapshot/detector.hpp"
#include "engine/snapshot/scan.hpp"
#include "io/file/read_plan.hpp"

namespace kiln::engine {

// Compares every entry on disk with the Tree's stamps: inode_ctime, redo, time.
std::unique_ptr<Detector> make_scan_detector(io::Runtime& runtime, SnapshotMode mode);
// Compares those in directories in which inotify saw something happen.
std::unique_ptr<Detector> make_watch_detector(io::Runtime& runtime);
// The same by mtime and size, and the contents of what they do not give away. `reader`: as in hash_contents().
std::unique_ptr<Detector> make_content_detector(io::Runtime& runtime, io::ReaderChoice reader = io::ReaderChoice::automatic);
// Reads what changed off the overlay's upper directory.
std::unique_ptr<Detector> make_overlay_detector(io::Runtime& runtime);

// What the detectors of a root of one directory have in common: after what they find is applied, files are compared with what
// they held before.
class DirectoryDetector : public Detector {
 public:
  void keep_captured(const Tree& tree, const Changes& changes, const oci::SpoolBlobPtr& blob) final {
    originals_.keep(tree, changes, blob);
  }

 protected:
  explicit DirectoryDetector(io::Runtime& runtime) : runtime_(runtime), originals_(runtime) {}
  io::Task<Changes> apply(Rootfs& root, Tree& tree, Findings found) {
    candidates_ = found.candidates.size();
    return apply_findings(runtime_, originals_, root, tree, std::move(found));
  }

  io::Runtime& runtime_;

 private:
  Originals originals_;
};

// Waits until the file system's clock has ticked past now: a change that comes later cannot carry a stamp's ctime.
io::Task<void> wait_for_tick();

}  // namespace kiln::engine
