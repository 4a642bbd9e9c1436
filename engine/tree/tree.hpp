// Tree: the index of a root file system, path -> node.
//
// A Tree holds about 120 bytes an entry (entry.hpp), so a Node is given out by value: it is how one reads and writes an entry.
// Copying a Tree is cheap: copies share structure and a change copies only the nodes on its path, so every step has a
// Tree of its own. Owners, capabilities and devices live here and are exact; on disk they are best effort. Paths are
// relative, cleaned ("usr/bin/env"), "" is the root. Symlinks are never followed by find() and its friends; resolve()
// follows them inside the tree. One thread at a time may change a Tree; copies are independent.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "engine/tree/content.hpp"
#include "engine/tree/counted.hpp"
#include "oci/tar/entry.hpp"

namespace kiln::engine {

using oci::FileTime;
using oci::FileType;  // never hard_link in a Tree: names of one inode share `link_id`
using oci::Xattrs;

// What statx said about a path after it was last put or seen on disk. A later difference means "may have changed".
struct DiskStamp {
  std::uint64_t inode = 0;  // 0: not on disk
  std::int64_t ctime_ns = 0;
  std::int64_t mtime_ns = 0;
  std::uint64_t size = 0;  // directories: 0
  std::uint32_t mode = 0;  // st_mode, type included
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
  bool on_disk() const noexcept { return inode != 0; }
  friend bool operator==(const DiskStamp&, const DiskStamp&) = default;
};

struct Node {
  FileType type = FileType::directory;
  std::uint32_t mode = 0755;  // 07777
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
  FileTime mtime;
  std::uint64_t size = 0;
  std::string link_target;  // symlinks
  std::uint32_t device_major = 0;
  std::uint32_t device_minor = 0;
  std::shared_ptr<const Xattrs> xattrs;  // null: none
  std::uint64_t link_id = 0;             // hard links: names with the same non-zero id are one inode
  Content content;                       // regular files
  DiskStamp stamp;                       // where a Rootfs holds it

  bool is_directory() const noexcept { return type == FileType::directory; }
};

// True when both would be the same in a layer: everything but content, link_id and stamp.
bool same_metadata(const Node& a, const Node& b);

class Tree {
 public:
  Tree();                   // an empty root: directory, 0755, root:root, mtime 0
  Tree(const Tree& other);  // shares structure
  Tree& operator=(const Tree& other);
  Tree(Tree&& other) noexcept;
  Tree& operator=(Tree&& other) noexcept;
  ~Tree();

  std::optional<Node> find(std::string_view path) const;  // nothing: no such path
  Node root() const;
  // Is the entry at `path` the very one that `other` has there: changed in neither since one was copied from the other?
  bool shares(const Tree& other, std::string_view path) const;

  // Puts a node; a directory over a directory keeps the children, anything else replaces what was there and below.
  // Missing parents are made: directory 0755, root:root, mtime 0. A parent that is not a directory is replaced.
  void put(std::string_view path, Node node);
  // Changes the node of an existing path in place (children stay). Throws Error(internal) if there is none.
  void update(std::string_view path, const std::function<void(Node&)>& change);
  bool remove(std::string_view path);  // with everything below; false if there was nothing
  void remove_children(std::string_view path);

  // Names of a directory's children in byte order; empty for anything else.
  std::vector<std::string> children(std::string_view path) const;

  // Visits `path` (if it exists) and everything below, parents before children, siblings in byte order. Returning false
  // from `visit` leaves a directory's children out.
  void walk(std::string_view path, const std::function<bool(const std::string& path, const Node& node)>& visit) const;

  // An entry looked at where it is, for passes over many: no path is built and no node copied.
  class View;
  View view(std::string_view path) const;  // none if there is no such path

  std::size_t size() const;  // nodes, the root included; O(n)

  std::uint64_t new_link_id() const;  // unused in every Tree of this process

 private:
  class Entry;

  struct Payload;
  friend void hold(Entry* entry) noexcept;
  friend void drop(Entry* entry) noexcept;
  friend bool held_once(const Entry* entry) noexcept;
  friend void hold(Payload* payload) noexcept;
  friend void drop(Payload* payload) noexcept;
  using EntryPointer = Counted<Entry>;

  const Entry* entry_at(std::string_view path) const;
  static Entry& own(EntryPointer& pointer);
  Entry* own_existing(std::string_view path);

  EntryPointer root_;
  Counted<Payload> neighbour_;  // see Entry::pack()
};

// Valid until the Tree it came from is changed or gone.
class Tree::View {
 public:
  View() = default;  // none
  explicit operator bool() const noexcept { return entry_ != nullptr; }
  FileType type() const;
  bool is_directory() const { return *this && type() == FileType::directory; }
  DiskStamp stamp() const;
  std::string_view link_target() const;  // of a symlink

  // Children, numbered in the byte order of their names; a View of none and one of a file have no child.
  std::size_t count() const;
  std::string_view name(std::size_t number) const;
  View child(std::size_t number) const;
  std::size_t position(std::string_view name) const;  // count() if there is none of that name

 private:
  friend class Tree;
  explicit View(const Entry* entry) : entry_(entry) {}
  const Entry* entry_ = nullptr;
};

// Resolves `path` inside the tree as the kernel would with the tree as root: symlinks followed (at most 40), absolute
// targets start at the tree's root, ".." stops at the root. Components that do not exist are kept as written. With
// follow_last false the last component is not followed. `root` (a path without symlinks) may be another directory of the
// tree; the result is below it and begins with it. Throws Error(context) for a loop, naming the path.
std::string resolve_in_tree(const Tree& tree, std::string_view path, bool follow_last = true, std::string_view root = "");

FileTime file_time(std::int64_t ns);  // nanoseconds since 1970

// What differs between two Trees, ready for a layer.
struct Change {
  enum class Kind { put, remove };
  Kind kind = Kind::put;
  std::string path;
};
using Changes = std::vector<Change>;  // sorted by path_less, each path once; never the root

// Orders paths component by component: a directory, what is in it, then its next sibling.
bool path_less(std::string_view a, std::string_view b);

// An archive entry as a node, without content. Not for hard links, which are names of another entry.
Node node_of(const oci::TarEntry& entry);

// Where a layer goes besides the Tree. Each call comes before the Tree changes and may set the node's stamp.
class LayerSink {
 public:
  virtual ~LayerSink() = default;
  virtual void remove(const std::string& path) = 0;
  virtual void put(const std::string& path, Node& node) = 0;  // a regular file's content is the current tar entry's
  virtual void link(const std::string& path, const std::string& target, Node& node) = 0;
  virtual void end_layer() {}  // after the last entry
};

// Applies one layer's entry stream to a tree in the order of the archive (OCI image-spec layer.md): whiteouts act on what
// lower layers brought, a parent that is a symlink is followed inside the tree, hard links share a link_id, a hard link to a
// path that is not there is Error(integrity). `layer` becomes the content of regular files.
class LayerApplier {
 public:
  LayerApplier(Tree& tree, std::shared_ptr<const ContentLayer> layer, LayerSink* sink = nullptr);
  void apply(const oci::TarEntry& entry);

 private:
  void remove(const std::string& path);
  void hide_older_children(const std::string& directory);
  void apply_link(const oci::TarEntry& entry, const std::string& path);

  Tree& tree_;
  Tree below_;  // the tree without this layer: what whiteouts act on
  std::shared_ptr<const ContentLayer> layer_;
  LayerSink* sink_;
};

}  // namespace kiln::engine
