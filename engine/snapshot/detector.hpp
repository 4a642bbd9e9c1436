// Detectors: snapshot strategies that tell which paths a RUN changed.
//
// The Tree knows the state before a RUN, so there is no first scan and no hashing of the base. After the RUN the detector
// names candidates; those are compared with the Tree, and content is read only where metadata cannot decide (same size,
// same mtime, yet touched).
//
//   inode-ctime  default: inode, ctime, size, mode and owner of every entry, by statx on threads. ctime cannot be forged.
//                arm() waits until the clock has ticked past the newest stamp, so that no later change can carry an old
//                ctime (the race that git calls "racily clean").
//   watch        inotify on every directory, kept from one RUN to the next, names the directories in which something happened;
//                only those are compared, as above. Where inotify cannot tell for sure (its queue or the limit of watches
//                overflows, a file came and went that may have been another name of one that stays), everything is.
//   overlay      a walk of the upper directory. Only for a Rootfs of that shape.
//   full         Kaniko's "full": reads and hashes (XXH3) every file before and after.
//   redo         Kaniko's "redo": mtime, size, mode and owner; content is not read.
//   time         Kaniko's "time": mtime, and mode and owner as they cost nothing more.
//
// All give the same Changes for honest programs; that is a test. They differ in what a program that forges mtimes can
// hide from them, and in cost.
#pragma once

#include <cstddef>
#include <memory>
#include <string_view>

#include "engine/rootfs/rootfs.hpp"
#include "engine/tree/tree.hpp"
#include "io/loop/runtime.hpp"
#include "oci/blob/spool.hpp"

namespace kiln::engine {

enum class SnapshotMode { automatic, inode_ctime, watch, overlay, full, redo, time };

std::string_view name_of(SnapshotMode mode);

class Detector {
 public:
  virtual ~Detector() = default;
  virtual std::string_view name() const noexcept = 0;  // as name_of() has it
  // Before a RUN: everything on disk is as `tree` says.
  virtual io::Task<void> arm(const Rootfs& root, const Tree& tree) = 0;
  // After it: brings `tree` up to date (metadata, stamps, contents that point into the Rootfs, hard links) and gives what
  // changed. Files that a RUN touched without changing anything are not in it.
  virtual io::Task<Changes> detect(Rootfs& root, Tree& tree) = 0;
  // What detect() gave is in the layer `blob` too, where it stays readable when a later RUN writes over the disk.
  virtual void keep_captured(const Tree& /*tree*/, const Changes& /*changes*/, const oci::SpoolBlobPtr& /*blob*/) {}

  // How many entries on disk the last detect() suspected: those that are in no Change were suspected in vain.
  std::size_t candidates() const noexcept { return candidates_; }

 protected:
  std::size_t candidates_ = 0;
};

// automatic: overlay for a Rootfs of that shape; else watch for a stage of many RUNs, as watching costs about as much as one
// comparison of everything, once, and inode-ctime for one of few. `runs`: how many there will be.
std::unique_ptr<Detector> make_detector(SnapshotMode mode, io::Runtime& runtime, const Rootfs& root, std::size_t runs = 1);

}  // namespace kiln::engine
