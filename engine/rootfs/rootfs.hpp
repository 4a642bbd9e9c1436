// Rootfs: a Tree made real on disk. Only RUN needs one.
//
// Three shapes behind one class:
//   plain     one directory of its own (userns sandbox without overlay)
//   overlay   a stack of directories, the base lowest; a RUN or a COPY adds one on top (userns sandbox with overlay). Several may
//             stand on one stack.
//   in place  the container's own "/"
// Owners, modes, times, xattrs and devices are put on disk as far as the process may (best effort, one warning a kind); the Tree
// keeps the exact values, and the stamps in the Tree say what the disk really holds. Nothing from the new root is
// followed or trusted: every path is resolved below a directory descriptor, existing files are unlinked before a new
// one is created, and paths in `protected_paths` (mount points, kiln's own directory, --ignore-path) are never touched.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "engine/rootfs/disk_writer.hpp"
#include "engine/rootfs/layer_input.hpp"
#include "engine/tree/tree.hpp"
#include "io/loop/runtime.hpp"

namespace kiln::engine {

enum class RootfsShape { plain, overlay, in_place };

class Rootfs {
 public:
  // work_directory: where to make a directory for this Rootfs alone. Plain
  // and overlay roots live there, and files of layers that are read ahead. For in_place it had better be on the mount of
  // "/": then those files are renamed into place; else no layer is read ahead.
  // protected_paths: absolute paths, cleaned, as the new root will see them.
  Rootfs(io::Runtime& runtime, RootfsShape shape, const std::string& work_directory, std::set<std::string> protected_paths);
  // Overlay: begins with the directories of `below`, which must not change any more. The first of its own is added by push_upper()
  // or apply(). Both work directories must be on one file system.
  Rootfs(io::Runtime& runtime, const Rootfs& below, const std::string& work_directory, std::set<std::string> protected_paths);
  ~Rootfs();  // leaves the files; see remove()
  Rootfs(const Rootfs&) = delete;
  Rootfs& operator=(const Rootfs&) = delete;

  RootfsShape shape() const noexcept;

  // Unpacks base layers, lowest first, while they still come in: the next ones are read ahead on threads of their own, and
  // their entries applied in order to the Tree and the disk (see LayerReader). Gives the Tree with stamps. Errors of a layer name
  // it; cancelling stops within one buffer.
  io::Task<Tree> unpack(std::vector<LayerInput> layers);

  // Makes the disk follow: `changes` lead from what is on disk to `tree` (COPY, ADD, WORKDIR). Contents are read from
  // where the nodes' Content says. Sets the stamps (and, for overlay, adds a directory on top).
  io::Task<void> apply(Tree& tree, const Changes& changes);

  // Overlay: a fresh upper directory on top for the next RUN, with the root's own metadata from `tree`. Others: nothing.
  void push_upper(const Tree& tree);

  // The directories of the stack, lowest first; one for plain ("/" for in place).
  const std::vector<std::shared_ptr<const ContentDirectory>>& directories() const noexcept;
  std::vector<std::string> directory_paths() const;
  std::string overlay_work_path() const;  // overlay: the work directory that belongs to the top

  // The content of a path that is on disk: the topmost directory of the stack that has it.
  Content locate(const std::string& path) const;

  const ProtectedPaths& protected_paths() const noexcept;

  // A directory for scratch files of this Rootfs, outside of what a RUN sees; made when first asked for.
  std::shared_ptr<const ContentDirectory> scratch();
  const std::string& work_directory() const noexcept;

  // In place: moves everything that is not protected out of "/" into the work directory, so that the next stage starts
  // from nothing while this stage's files stay readable under the same ContentDirectory.
  io::Task<void> move_aside();

  // In place: unpacks beside "/", while another stage has it; then takes the place of what is in "/", which must have been
  // moved aside, by renames. The work directory must be on the file system of "/". move_in() renews the stamps of what it moved.
  io::Task<Tree> unpack_beside(std::vector<LayerInput> layers);
  io::Task<void> move_in(Tree& tree);

  // In place: puts links that have been laid over a pod's directories back (see MountedLinks); move_aside() does, too.
  io::Task<void> take_back_links();

  // In place: takes directories that are on disk only because a pod mounts something below them out of what a RUN has changed,
  // unless the RUN put something there. `before`: the Tree before the RUN.
  void leave_out_bare(const Tree& before, Tree& tree, Changes& changes) const;

  // Deletes everything on disk (in place: all that is not protected). Runs on a pool; errors are logged.
  io::Task<void> remove();

 private:
  io::Task<Tree> unpack_into(int directory, std::vector<LayerInput> layers);
  void reconcile_with_mounts(const Tree& tree);
  void lay_links(Tree& tree);

  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// Decodes layers onto `below` without touching a disk (stages without RUN), read ahead and applied in order. The nodes'
// Content points into the blobs.
io::Task<Tree> index_layers(io::Runtime& runtime, Tree below, std::vector<LayerInput> layers);

// Contents that live in layer blobs, written as files into `directory` (an open scratch directory), each blob inflated
// once; the contents are changed to point there.
io::Task<void> materialize_layer_contents(io::Runtime& runtime, std::vector<Content*> contents,
                                          std::shared_ptr<const ContentDirectory> directory);

}  // namespace kiln::engine
