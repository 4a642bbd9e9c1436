#include "engine/tree/tree.hpp"

#include <algorithm>
#include <atomic>
#include <utility>

#include <fmt/format.h>

#include "io/base/error.hpp"

namespace kiln::engine {

// A node and its children. Entries are shared between Trees; one that has a single owner may be changed in place.
struct Tree::Entry {
  struct Child {
    std::string name;
    std::shared_ptr<Entry> entry;
  };
  Node node;
  std::vector<Child> children;  // sorted by name

  std::size_t position(std::string_view name) const {
    const auto found = std::lower_bound(children.begin(), children.end(), name,
                                        [](const Child& child, std::string_view wanted) { return child.name < wanted; });
    return static_cast<std::size_t>(found - children.begin());
  }
  bool has(std::size_t at, std::string_view name) const { return at < children.size() && children[at].name == name; }
};

namespace {

// Takes the first component off a path.
std::string_view take_component(std::string_view& path) {
  const auto slash = std::min(path.find('/'), path.size());
  const std::string_view name = path.substr(0, slash);
  path.remove_prefix(std::min(slash + 1, path.size()));
  return name;
}

// The entry behind `pointer`, for this owner alone. A Tree is changed by one thread, and a shared entry is never changed,
// so a count of one cannot grow meanwhile.
template <class Pointer>
auto& own(Pointer& pointer) {
  if (pointer.use_count() != 1) pointer = std::make_shared<typename Pointer::element_type>(*pointer);
  return *pointer;
}

Node default_directory() { return Node(); }

}  // namespace

bool same_metadata(const Node& a, const Node& b) {
  if (a.type != b.type || a.mode != b.mode || a.uid != b.uid || a.gid != b.gid || a.mtime != b.mtime) return false;
  if (a.type == FileType::regular && a.size != b.size) return false;
  if (a.link_target != b.link_target || a.device_major != b.device_major || a.device_minor != b.device_minor) return false;
  static const Xattrs none;
  return (a.xattrs ? *a.xattrs : none) == (b.xattrs ? *b.xattrs : none);
}

bool path_less(std::string_view a, std::string_view b) {
  return std::lexicographical_compare(a.begin(), a.end(), b.begin(), b.end(),
                                      [](unsigned char x, unsigned char y) { return (x == '/' ? 0 : x) < (y == '/' ? 0 : y); });
}

Tree::Tree() : root_(std::make_shared<Entry>()) { root_->node = default_directory(); }

const Node& Tree::root() const { return root_->node; }

const Tree::Entry* Tree::entry_at(std::string_view path) const {
  const Entry* entry = root_.get();
  while (!path.empty()) {
    const std::string_view name = take_component(path);
    const std::size_t at = entry->position(name);
    if (!entry->has(at, name)) return nullptr;
    entry = entry->children[at].entry.get();
  }
  return entry;
}

const Node* Tree::find(std::string_view path) const {
  const Entry* entry = entry_at(path);
  return entry ? &entry->node : nullptr;
}

Tree::View Tree::view(std::string_view path) const { return View(entry_at(path)); }

FileType Tree::View::type() const { return entry_->node.type; }
DiskStamp Tree::View::stamp() const { return entry_->node.stamp; }
std::size_t Tree::View::count() const { return entry_ ? entry_->children.size() : 0; }
std::string_view Tree::View::name(std::size_t number) const { return entry_->children[number].name; }
Tree::View Tree::View::child(std::size_t number) const { return View(entry_->children[number].entry.get()); }

std::size_t Tree::View::position(std::string_view name) const {
  if (!entry_) return 0;
  const std::size_t at = entry_->position(name);
  return entry_->has(at, name) ? at : entry_->children.size();
}

void Tree::put(std::string_view path, Node node) {
  Entry* entry = &own(root_);
  while (!path.empty()) {
    const std::string_view name = take_component(path);
    if (!entry->node.is_directory()) {
      entry->node = default_directory();
      entry->children.clear();
    }
    const std::size_t at = entry->position(name);
    if (!entry->has(at, name)) {
      auto made = std::make_shared<Entry>();
      made->node = default_directory();
      entry->children.insert(entry->children.begin() + static_cast<std::ptrdiff_t>(at), {std::string(name), std::move(made)});
    }
    entry = &own(entry->children[at].entry);
  }
  if (!node.is_directory()) entry->children.clear();
  entry->node = std::move(node);
}

void Tree::update(std::string_view path, const std::function<void(Node&)>& change) {
  if (!find(path)) throw io::Error(io::ErrorKind::internal, fmt::format("no '{}' in the tree", path));
  Entry* entry = &own(root_);
  while (!path.empty()) {
    const std::string_view name = take_component(path);
    entry = &own(entry->children[entry->position(name)].entry);
  }
  change(entry->node);
  if (!entry->node.is_directory()) entry->children.clear();
}

bool Tree::remove(std::string_view path) {
  if (path.empty() || !find(path)) return false;
  Entry* entry = &own(root_);
  while (true) {
    const std::string_view name = take_component(path);
    const std::size_t at = entry->position(name);
    if (path.empty()) {
      entry->children.erase(entry->children.begin() + static_cast<std::ptrdiff_t>(at));
      return true;
    }
    entry = &own(entry->children[at].entry);
  }
}

void Tree::remove_children(std::string_view path) {
  if (!find(path)) return;
  Entry* entry = &own(root_);
  while (!path.empty()) {
    const std::string_view name = take_component(path);
    entry = &own(entry->children[entry->position(name)].entry);
  }
  entry->children.clear();
}

std::vector<std::string> Tree::children(std::string_view path) const {
  const View directory = view(path);
  std::vector<std::string> names;
  names.reserve(directory.count());
  for (std::size_t i = 0; i < directory.count(); ++i) names.emplace_back(directory.name(i));
  return names;
}

void Tree::walk(std::string_view path, const std::function<bool(const std::string&, const Node&)>& visit) const {
  const Entry* start = entry_at(path);
  if (!start) return;
  // A stack instead of recursion: trees come from outside and may be deep.
  struct Open {
    const Entry* entry;
    std::size_t next;
    std::size_t path_size;
  };
  std::string current(path);
  if (!visit(current, start->node)) return;
  std::vector<Open> open = {{start, 0, current.size()}};
  while (!open.empty()) {
    Open& top = open.back();
    current.resize(top.path_size);
    if (top.next == top.entry->children.size()) {
      open.pop_back();
      continue;
    }
    const auto& child = top.entry->children[top.next++];
    if (!current.empty()) current += '/';
    current += child.name;
    if (visit(current, child.entry->node)) open.push_back({child.entry.get(), 0, current.size()});
  }
}

std::size_t Tree::size() const {
  std::size_t count = 0;
  walk("", [&](const std::string&, const Node&) {
    ++count;
    return true;
  });
  return count;
}

std::uint64_t Tree::new_link_id() const {
  static std::atomic<std::uint64_t> last = 0;
  return ++last;
}

}  // namespace kiln::engine
