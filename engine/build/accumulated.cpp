#include "engine/build/accumulated.hpp"

#include <algorithm>
#include <map>
#include <tuple>
#include <vector>

#include "engine/plan/path.hpp"

namespace kiln::engine {

namespace {

// The names that are one file: those that share an inode on disk, and those that were links of each other already, as an overlay
// that copies one name of a file up leaves the others behind.
class Names {
 public:
  explicit Names(Tree& tree) : tree_(tree) {}

  void add(const std::string& path, const Node& node) {
    const std::size_t name = names_.size();
    names_.push_back({path, node.link_id, name});
    // A detector that looks at times alone may have missed that an inode has been used again.
    const Inode inode = {node.stamp.inode, node.stamp.mtime_ns, node.stamp.size};
    if (node.stamp.on_disk()) join(name, inodes_.emplace(inode, name).first->second);
    if (node.link_id != 0) join(name, link_ids_.emplace(node.link_id, name).first->second);
  }

  void link() {
    std::map<std::size_t, std::vector<std::size_t>> files;
    for (std::size_t name = 0; name < names_.size(); ++name) files[first_of(name)].push_back(name);
    for (const auto& [first, names] : files) {
      if (names.size() < 2 || are_links(names)) continue;
      const std::uint64_t id = tree_.new_link_id();
      for (const std::size_t name : names) tree_.update(names_[name].path, [id](Node& node) { node.link_id = id; });
    }
  }

 private:
  struct Name {
    std::string path;
    std::uint64_t link_id;
    std::size_t first;  // another name of its file, or itself
  };
  using Inode = std::tuple<std::uint64_t, std::int64_t, std::uint64_t>;  // number, time, size

  bool are_links(const std::vector<std::size_t>& names) const {
    const std::uint64_t id = names_[names.front()].link_id;
    return id != 0 && std::ranges::all_of(names, [&](std::size_t name) { return names_[name].link_id == id; });
  }
  std::size_t first_of(std::size_t name) const {
    while (names_[name].first != name) name = names_[name].first;
    return name;
  }
  void join(std::size_t a, std::size_t b) { names_[first_of(a)].first = first_of(b); }

  Tree& tree_;
  std::vector<Name> names_;
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
    // Nothing is left in what is gone itself, or has become a file.
    if (tree.view(parent_of(path)).is_directory()) changes.push_back({Change::Kind::remove, path});
  }
  std::ranges::sort(changes, path_less, &Change::path);
  return changes;
}

}  // namespace kiln::engine
