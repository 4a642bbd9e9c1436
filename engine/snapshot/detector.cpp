#include "engine/snapshot/detector.hpp"

#include "engine/snapshot/detectors.hpp"
#include "io/base/error.hpp"

namespace kiln::engine {

namespace {

constexpr std::size_t many_runs = 4;

}  // namespace

std::string_view name_of(SnapshotMode mode) {
  switch (mode) {
    case SnapshotMode::automatic: return "automatic";
    case SnapshotMode::inode_ctime: return "inode-ctime";
    case SnapshotMode::watch: return "watch";
    case SnapshotMode::overlay: return "overlay";
    case SnapshotMode::full: return "full";
    case SnapshotMode::redo: return "redo";
    case SnapshotMode::time: return "time";
  }
  return "";
}

std::unique_ptr<Detector> make_detector(SnapshotMode mode, io::Runtime& runtime, const Rootfs& root, std::size_t runs) {
  // The scans see one directory and not a stack, so an overlay is always read off its upper directory.
  if (root.shape() == RootfsShape::overlay) return make_overlay_detector(runtime);
  switch (mode) {
    case SnapshotMode::overlay: break;
    case SnapshotMode::automatic:
      if (runs >= many_runs) return make_watch_detector(runtime);
      [[fallthrough]];
    case SnapshotMode::inode_ctime: return make_scan_detector(runtime, SnapshotMode::inode_ctime);
    case SnapshotMode::redo:
    case SnapshotMode::time: return make_scan_detector(runtime, mode);
    case SnapshotMode::watch: return make_watch_detector(runtime);
    case SnapshotMode::full: return make_content_detector(runtime);
  }
  throw io::Error(io::ErrorKind::unsupported, "the overlay snapshot needs a root file system made of overlay directories");
}

}  // namespace kiln::engine
