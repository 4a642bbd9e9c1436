#include "engine/tree/tree.hpp"

#include <algorithm>
#include <atomic>
#include <utility>

#include <fmt/format.h>

#include "engine/plan/path.hpp"
#include "engine/tree/entry.hpp"
#include "io/base/error.hpp"

namespace kiln::engine {

namespace {

// Takes the first component off a path.
std::string_view take_component(std::string_view& path) {
  const auto slash = std::min(path.find('/'), path.size());
  const std::string_view name = path.substr(0, slash);
  path.remove_prefix(std::min(slash + 1, path.size()));
  return name;
}

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

Tree::Tree() : root_(Entry::make("", FileType::directory)) { root_->pack(Node(), "", neighbour_); }

Tree::Tree(const Tree& other) = default;
Tree& Tree::operator=(const Tree& other) = default;
Tree::Tree(Tree&& other) noexcept = default;
Tree& Tree::operator=(Tree&& other) noexcept = default;
Tree::~Tree() = default;

// The entry behind `pointer`, for this owner alone. A Tree is changed by one thread, and a shared entry is never changed,
// so a count of one cannot grow meanwhile.
Tree::Entry& Tree::own(EntryPointer& pointer) {
  if (!pointer.alone()) pointer = pointer->clone();
  return *pointer.get();
}

const Tree::Entry* Tree::entry_at(std::string_view path) const {
  const Entry* entry = root_.get();
  while (!path.empty()) {
    const std::string_view name = take_component(path);
    if (!entry->is_directory()) return nullptr;
    const std::size_t at = entry->position(name);
    if (!entry->has(at, name)) return nullptr;
    entry = entry->children()[at].get();
  }
  return entry;
}

// The entry of a path that is there, with all above it, for this Tree alone.
Tree::Entry* Tree::own_existing(std::string_view path) {
  Entry* entry = &own(root_);
  while (!path.empty()) entry = &own(entry->children()[entry->position(take_component(path))]);
  return entry;
}

std::optional<Node> Tree::find(std::string_view path) const {
  const Entry* entry = entry_at(path);
  if (!entry) return std::nullopt;
  return entry->unpack(path);
}

Node Tree::root() const { return root_->unpack(""); }

bool Tree::shares(const Tree& other, std::string_view path) const {
  const Entry* entry = entry_at(path);
  return entry && entry == other.entry_at(path);
}

void Tree::put(std::string_view path, Node node) {
  std::string_view rest = path;
  EntryPointer* place = &root_;
  while (!rest.empty()) {
    const std::string_view name = take_component(rest);
    const bool directory = (*place)->is_directory();
    if (!directory) *place = Entry::make((*place)->name(), FileType::directory);
    Entry& parent = own(*place);
    if (!directory) parent.pack(Node(), "", neighbour_);
    const std::size_t at = parent.position(name);
    if (!parent.has(at, name)) {
      EntryPointer made = Entry::make(name, rest.empty() ? node.type : FileType::directory);
      if (!rest.empty()) made->pack(Node(), "", neighbour_);
      parent.insert(at, std::move(made));
    }
    place = &parent.children()[at];
  }
  if ((*place)->type() != node.type) *place = Entry::make((*place)->name(), node.type);
  own(*place).pack(node, path, neighbour_);
}

void Tree::update(std::string_view path, const std::function<void(Node&)>& change) {
  std::optional<Node> node = find(path);
  if (!node) throw io::Error(io::ErrorKind::internal, fmt::format("no '{}' in the tree", path));
  change(*node);
  put(path, std::move(*node));
}

bool Tree::remove(std::string_view path) {
  if (path.empty() || !entry_at(path)) return false;
  Entry* parent = own_existing(parent_of(path));
  const std::size_t at = parent->position(name_of_path(path));
  parent->children().erase(parent->children().begin() + static_cast<std::ptrdiff_t>(at));
  return true;
}

void Tree::remove_children(std::string_view path) {
  const Entry* entry = entry_at(path);
  if (entry && entry->is_directory()) own_existing(path)->children().clear();
}

std::vector<std::string> Tree::children(std::string_view path) const {
  const View directory = view(path);
  std::vector<std::string> names;
  names.reserve(directory.count());
  for (std::size_t i = 0; i < directory.count(); ++i) names.emplace_back(directory.name(i));
  return names;
}

void Tree::walk(std::string_view path, const std::function<bool(const std::string&, const Node&)>& visit) const {
  const View start = view(path);
  if (!start) return;
  // A stack instead of recursion: trees come from outside and may be deep.
  struct Open {
    View directory;
    std::size_t next;
    std::size_t path_size;
  };
  std::string current(path);
  if (!visit(current, start.entry_->unpack(current))) return;
  std::vector<Open> open = {{start, 0, current.size()}};
  while (!open.empty()) {
    Open& top = open.back();
    current.resize(top.path_size);
    if (top.next == top.directory.count()) {
      open.pop_back();
      continue;
    }
    const View child = top.directory.child(top.next++);
    if (!current.empty()) current += '/';
    current += child.entry_->name();
    if (visit(current, child.entry_->unpack(current))) open.push_back({child, 0, current.size()});
  }
}

std::size_t Tree::size() const {
  std::size_t count = 0;
  std::vector<View> todo = {view("")};
  while (!todo.empty()) {
    const View next = todo.back();
    todo.pop_back();
    ++count;
    for (std::size_t i = 0; i < next.count(); ++i) todo.push_back(next.child(i));
  }
  return count;
}

// -- Tree::View -------------------------------------------------------------------------------------------------------

Tree::View Tree::view(std::string_view path) const { return View(entry_at(path)); }

FileType Tree::View::type() const { return entry_->type(); }
DiskStamp Tree::View::stamp() const { return entry_->stamp(); }
std::string_view Tree::View::link_target() const { return entry_->link_target(); }
std::size_t Tree::View::count() const { return entry_ && entry_->is_directory() ? entry_->children().size() : 0; }
std::string_view Tree::View::name(std::size_t number) const { return entry_->children()[number]->name(); }
Tree::View Tree::View::child(std::size_t number) const { return View(entry_->children()[number].get()); }

std::size_t Tree::View::position(std::string_view name) const {
  if (count() == 0) return 0;
  const std::size_t at = entry_->position(name);
  return entry_->has(at, name) ? at : count();
}

std::uint64_t Tree::new_link_id() const {
  static std::atomic<std::uint64_t> last = 0;
  return ++last;
}

}  // namespace kiln::engine
