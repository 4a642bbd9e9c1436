// A root file system on disk with a Tree that knows it, and programs that change it, for tests of detectors.
#pragma once

#include <functional>
#include <map>
#include <string>

#include "engine/rootfs/rootfs.hpp"
#include "engine/snapshot/detector.hpp"
#include "engine/tree/tree.hpp"

namespace kiln::testing {

class SnapshotRoot {
 public:
  // Below a directory of its own, which goes with it. Holds what fill() says.
  SnapshotRoot(io::Runtime& runtime, engine::RootfsShape shape, engine::SnapshotMode mode);
  ~SnapshotRoot();
  SnapshotRoot(const SnapshotRoot&) = delete;
  SnapshotRoot& operator=(const SnapshotRoot&) = delete;

  // An overlay can be mounted by a child of this process.
  static bool overlay_works();

  // Runs `program` in a process of its own whose directory is the root, and gives what the detector made of it, a line a
  // change: "+" or "-", the path, and for what is there now type, mode, size, link target, content, and the path that it is
  // a hard link to if that is among the changes as well.
  std::string run(const std::function<void()>& program);

  engine::Tree& tree() { return tree_; }

 private:
  void fill();
  void put(const std::string& path, const std::string& content, std::uint64_t link_id = 0);
  int run_in_child(const std::function<void()>& program);
  std::string describe(const engine::Changes& changes) const;
  std::string describe(const std::string& path, std::map<std::uint64_t, std::string>& links) const;

  io::Runtime& runtime_;
  std::string directory_;
  engine::Rootfs root_;
  engine::SnapshotMode mode_;
  engine::Tree tree_;
  std::unique_ptr<engine::Detector> detector_;
};

}  // namespace kiln::testing
