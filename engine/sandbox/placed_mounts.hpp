// Mounts where nothing can be mounted: what a RUN is to find is put there, and afterwards everything is as it was.
//
// What is at a target is moved aside, the content moved in (a cache by rename, a bind as a private copy, a secret as a file
// with its mode), and after the RUN the other way round. A parent directory that the RUN renamed is still found: it is held
// open. Limits: what a read-only mount holds can be written to, and a tmpfs has no size.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "engine/rootfs/protected_paths.hpp"
#include "engine/sandbox/mount_points.hpp"
#include "engine/sandbox/sandbox_mount.hpp"
#include "engine/tree/tree.hpp"

namespace kiln::engine {

class PlacedMounts {
 public:
  // `aside`: a directory for this RUN alone, best on the file system of the root; made when needed. All but it are borrowed.
  PlacedMounts(int root, Tree& tree, const ProtectedPaths& keep, std::string aside)
      : root_(root), tree_(tree), keep_(keep), aside_(std::move(aside)) {}

  // Blocking. Errors: io::Error(unsupported or filesystem) naming the mount; take_back() is due in any case.
  void place(const std::vector<SandboxMount>& mounts);
  // Undoes all of it, whatever fails on the way; throws the first error at the end.
  void take_back();

 private:
  struct Placed {
    SandboxMount mount;
    std::unique_ptr<MountPoints> points;
    io::UniqueFd parent;
    std::string name;
    bool moved_aside = false;
    bool filled = false;
  };

  void check(const SandboxMount& mount) const;
  void place_one(Placed& placed);
  void fill(Placed& placed);
  void take_back_one(Placed& placed);
  void renew_stamps(const std::string& path);
  io::UniqueFd open_aside();

  int root_;
  Tree& tree_;
  const ProtectedPaths& keep_;
  std::string aside_;
  std::vector<Placed> placed_;
};

}  // namespace kiln::engine
