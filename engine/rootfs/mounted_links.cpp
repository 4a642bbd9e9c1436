#include "engine/rootfs/mounted_links.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "engine/plan/path.hpp"
#include "engine/rootfs/entry_writer.hpp"
#include "io/base/error.hpp"
#include "io/base/fd.hpp"
#include "io/file/directory_names.hpp"
#include "io/file/open_beneath.hpp"

namespace kiln::engine {

namespace {

constexpr int directory_flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;

// Where a link leads; empty: to no directory.
std::string directory_behind(const Tree& tree, const std::string& link) {
  try {
    std::string target = resolve_in_tree(tree, link);
    const Tree::View there = tree.view(target);
    return there && there.is_directory() ? target : "";
  } catch (const io::Error&) {  // a circle
    return "";
  }
}

}  // namespace

// Renames what is in one directory into another; what is a directory in both is gone through. False: something could not be moved.
bool MountedLinks::move_into(int from, int to, const std::string& below, std::vector<std::string>& moved) const {
  std::vector<std::string> names;
  if (io::list_names(from, names) != 0) return false;
  for (const auto& name : names) {
    const std::string path = below.empty() ? name : below + "/" + name;
    if (renameat2(from, name.c_str(), to, name.c_str(), RENAME_NOREPLACE) == 0) {
      moved.push_back(path);
      continue;
    }
    if (errno != EEXIST) return false;
    const io::UniqueFd source(openat(from, name.c_str(), directory_flags));
    const io::UniqueFd target(openat(to, name.c_str(), directory_flags));
    if (!source || !target || !move_into(source.get(), target.get(), path, moved)) return false;
    if (unlinkat(from, name.c_str(), AT_REMOVEDIR) != 0) return false;
  }
  return true;
}

// Takes the directory away that is where the link comes. True: nothing is there any more.
bool MountedLinks::make_way(Link& link) const {
  const io::UniqueFd parent = io::open_beneath(root_, std::string(parent_of(link.path)), O_RDONLY | O_DIRECTORY);
  const io::UniqueFd target = io::open_beneath(root_, link.target, O_RDONLY | O_DIRECTORY);
  if (!parent || !target) return false;
  const std::string name(name_of_path(link.path));
  const io::UniqueFd directory(openat(parent.get(), name.c_str(), directory_flags));
  if (!directory) return errno == ENOENT;
  const bool gone =
      move_into(directory.get(), target.get(), "", link.moved) && unlinkat(parent.get(), name.c_str(), AT_REMOVEDIR) == 0;
  if (!gone) {
    spdlog::warn(
        "/{} is a link to /{} in the image and holds a mount here that does not move: what a RUN writes there is in no layer",
        link.path, link.target);
    move_back(link);
  }
  return gone;
}

std::set<std::string> MountedLinks::lay(Tree& tree, const std::set<std::string>& paths, const ProtectedPaths& keep) {
  std::set<std::string> moved;
  EntryWriter entries(keep);
  for (const auto& path : paths) {
    const auto found = tree.find(path);
    if (!found || found->type != FileType::symlink) continue;
    Link link{path, directory_behind(tree, path), {}};
    if (link.target.empty() || keep.covers(link.target) || !make_way(link)) continue;
    Node node = *found;
    const std::string parent(parent_of(path));
    entries.put(io::open_beneath(root_, parent, O_RDONLY | O_DIRECTORY).get(), path, node, nullptr);
    for (const auto& changed : {link.target, parent}) {
      const io::UniqueFd directory = io::open_beneath(root_, changed, O_RDONLY | O_DIRECTORY);
      const DiskStamp stamp = entries.finish_directory(directory.get(), changed, *tree.find(changed));
      tree.update(changed, [&stamp](Node& touched) { touched.stamp = stamp; });
    }
    for (const auto& kept : keep.paths()) {
      if (kept.starts_with(path + "/")) moved.insert(link.target + kept.substr(path.size()));
    }
    links_.push_back(std::move(link));
  }
  return moved;
}

void MountedLinks::move_back(const Link& link) const {
  for (auto path = link.moved.rbegin(); path != link.moved.rend(); ++path) {
    const std::string before = link.path + "/" + *path, now = link.target + "/" + *path;
    for (std::size_t slash = before.find('/', link.path.size()); slash != std::string::npos; slash = before.find('/', slash + 1)) {
      const std::string made = before.substr(0, slash);
      const io::UniqueFd parent = io::open_beneath(root_, std::string(parent_of(made)), O_RDONLY | O_DIRECTORY);
      mkdirat(parent.get(), std::string(name_of_path(made)).c_str(), 0755);
    }
    const io::UniqueFd from = io::open_beneath(root_, std::string(parent_of(now)), O_RDONLY | O_DIRECTORY);
    const io::UniqueFd to = io::open_beneath(root_, std::string(parent_of(before)), O_RDONLY | O_DIRECTORY);
    const std::string name(name_of_path(now));
    if (renameat(from.get(), name.c_str(), to.get(), name.c_str()) != 0) {
      spdlog::warn("moving /{} back to /{}: {}", now, before, std::strerror(errno));
    }
  }
}

void MountedLinks::take_back() {
  for (auto link = links_.rbegin(); link != links_.rend(); ++link) {
    const io::UniqueFd parent = io::open_beneath(root_, std::string(parent_of(link->path)), O_RDONLY | O_DIRECTORY);
    if (parent) unlinkat(parent.get(), std::string(name_of_path(link->path)).c_str(), 0);
    move_back(*link);
  }
  links_.clear();
}

}  // namespace kiln::engine
