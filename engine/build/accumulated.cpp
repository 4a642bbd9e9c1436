#include "engine/build/accumulated.hpp"

#include <algorithm>
#include <map>
#include <tuple>
#include <vector>

namespace kiln::engine {

namespace {

// The names that are one file: those that share an inode on disk, and those that were links of each other already, as an overlay
// that copies one name of a file up leaves the others behind.
class Names {
 public:
  explicit Names(Tree& tree) : tree_(tree) {}

  void add(const std::string& path, const Node& node) {
    const std::size_t name = paths_.size();
    paths_.push_back(path);
    first_.push_back(name);
    link_id_.push_back(node.link_id);
    // A detector that looks at times alone may have missed that an inode has been used again.
    const Inode inode = {node.stamp.inode, node.stamp.mtime_ns, node.stamp.size};
    if (node.stamp.on_disk()) join(name, inodes_.emplace(inode, name).first->second);
    if (node.link_id != 0) join(name, link_ids_.emplace(node.link_id, name).first->second);
  }

  void link() {
    std::map<std::size_t, std::vector<std::size_t>> files;
    for (std::size_t name = 0; name < paths_.size(); ++name) files[first_of(name)].push_back(name);
    for (const auto& [first, names] : files) {
      if (names.size() < 2 || are_links(names)) continue;
      const std::uint64_t id = tree_.new_link_id();
      for (const std::size_t name : names) tree_.update(paths_[name], [id](Node& node) { node.link_id = id; });
    }
  }

 private:
  using Inode = std::tuple<std::uint64_t, std::int64_t, std::uint64_t>;  // number, time, size

  bool are_links(const std::vector<std::size_t>& names) const {
    const auto same = [&](std::size_t name) { return link_id_[name] == link_id_[names.front()]; };
    return link_id_[names.front()] != 0 && std::ranges::all_of(names, same);
  }
  std::size_t first_of(std::size_t name) const {
    while (first_[name] != name) name = first_[name];
    return name;
  }
  void join(std::size_t a, std::size_t b) { first_[first_of(a)] = first_of(b); }

  Tree& tree_;
  std::vector<std::string> paths_;
  std::vector<std::size_t> first_;      // of each name: another name of its file, or itself
  std::vector<std::uint64_t> link_id_;  // of each name
  std::map<Inode, std::size_t> inodes_;
  std::map<std::uint64_t, std::size_t> link_ids_;
};

}  // namespace

void AccumulatedChanges::add(Tree& tree, const Changes& changes) {
  for (const auto& change : changes) {
    touched_.insert(change.path);
    if (before_.view(change.path).is_directory() && !tree.view(change.path).is_directory()) emptied_.insert(change.path);
  }
  const auto is_file = [&tree](const Change& change) {
    return change.kind == Change::Kind::put && !tree.view(change.path).is_directory();
  };
  if (std::ranges::none_of(changes, is_file)) return;
  Names names(tree);
  for (const auto& path : touched_) {
    const auto node = tree.find(path);
    if (node && !node->is_directory()) names.add(path, *node);
  }
  names.link();
}

Changes AccumulatedChanges::all(const Tree& tree) const {
  Changes changes;
  std::set<std::string> removed;  // with what is below others of them
  const auto find_removed = [&](const std::string& path, const Node&) {
    const bool there = static_cast<bool>(tree.view(path));
    if (!there) removed.insert(path);
    return there;
  };
  for (const auto& path : touched_) {
    if (tree.view(path)) {
      changes.push_back({Change::Kind::put, path});
    } else if (before_.view(path)) {
      removed.insert(path);
    }
  }
  for (const auto& path : emptied_) before_.walk(path, find_removed);
  for (const auto& path : removed) {
    const auto slash = path.rfind('/');
    // Nothing is left in what is gone itself, or has become a file.
    if (slash == std::string::npos || tree.view(path.substr(0, slash)).is_directory()) {
      changes.push_back({Change::Kind::remove, path});
    }
  }
  std::sort(changes.begin(), changes.end(), [](const Change& a, const Change& b) { return path_less(a.path, b.path); });
  return changes;
}

}  // namespace kiln::engine
