// Links of an image where a pod's root has a directory, because something is mounted below it.
//
// Nearly every image has /var/run -> /run, and a pod's service account token is mounted below /var/run: what a RUN writes below
// /var/run would go past the image's /run. A mount point cannot be renamed, but the directories on the way to it can, and the mount
// goes along: so they move to where the link leads, and the link is made. All is put back before "/" is the next stage's.
// The same where nothing is mounted, and /var/run is missing only because it is left alone (--ignore-var-run).
#pragma once

#include <set>
#include <string>
#include <vector>

#include "engine/rootfs/protected_paths.hpp"
#include "engine/tree/tree.hpp"

namespace kiln::engine {

class MountedLinks {
 public:
  // `root`: the open root, borrowed.
  explicit MountedLinks(int root) : root_(root) {}

  // Makes those of `paths` that are links in the Tree, whose files are on disk, and sets the stamps of directories that this
  // changes. Gives where paths of `keep` are now that were below a link. What cannot be moved stays a directory, with a warning.
  std::set<std::string> lay(Tree& tree, const std::set<std::string>& paths, const ProtectedPaths& keep);

  // Puts everything back. Errors are logged.
  void take_back();

 private:
  struct Link {
    std::string path;
    std::string target;              // where it leads
    std::vector<std::string> moved;  // below `path` before, below `target` now
  };
  bool make_way(Link& link) const;
  bool move_into(int from, int to, const std::string& below, std::vector<std::string>& moved) const;
  void move_back(const Link& link) const;

  int root_;
  std::vector<Link> links_;
};

}  // namespace kiln::engine
