// Scans: every entry on disk against the Tree's stamps.
#include <ctime>

#include "engine/snapshot/detectors.hpp"

namespace kiln::engine {

namespace {

using io::Task;

StampRule rule_of(SnapshotMode mode) {
  switch (mode) {
    case SnapshotMode::time: return StampRule::mtime;
    case SnapshotMode::redo: return StampRule::mtime_and_size;
    default: return StampRule::inode_and_ctime;
  }
}

class ScanDetector final : public DirectoryDetector {
 public:
  ScanDetector(io::Runtime& runtime, SnapshotMode mode) : DirectoryDetector(runtime), mode_(mode) {}

  std::string_view name() const noexcept override { return name_of(mode_); }

  Task<void> arm(const Rootfs&, const Tree&) override { co_await wait_for_tick(); }

  Task<Changes> detect(Rootfs& root, Tree& tree) override {
    Findings found = co_await scan_all(runtime_, root, tree, rule_of(mode_));
    Changes changes = co_await apply(root, tree, std::move(found));
    co_return changes;
  }

 private:
  SnapshotMode mode_;
};

}  // namespace

Task<void> wait_for_tick() {
  const auto now = [] {
    timespec time{};
    clock_gettime(CLOCK_REALTIME_COARSE, &time);
    return time.tv_sec * 1'000'000'000LL + time.tv_nsec;
  };
  const auto start = now();
  while (now() == start) co_await io::sleep_for(std::chrono::microseconds(500));
}

std::unique_ptr<Detector> make_scan_detector(io::Runtime& runtime, SnapshotMode mode) {
  return std::make_unique<ScanDetector>(runtime, mode);
}

}  // namespace kiln::engine
