// How a Tree keeps a node: one block of about 90 bytes with its name, and what few nodes have apart.
//
// A root has hundreds of thousands of entries, so a node's usual state takes no room: a stamp that says what the node says
// is its inode and ctime, a content at the entry's own path in its layer or directory is one that all its neighbours share.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "engine/tree/tree.hpp"

namespace kiln::engine {

// What an entry has beside its fixed part, by its type.
struct Tree::Payload {
  virtual ~Payload() = default;
  std::atomic<std::uint32_t> references = 0;
};

class Tree::Entry {
 public:
  using Children = std::vector<EntryPointer>;  // sorted by name

  static EntryPointer make(std::string_view name, FileType type);
  EntryPointer clone() const;  // shares the children's entries

  FileType type() const noexcept { return static_cast<FileType>(type_and_mode_ >> mode_bits); }
  bool is_directory() const noexcept { return type() == FileType::directory; }
  std::string_view name() const noexcept { return {reinterpret_cast<const char*>(this + 1), name_length_}; }

  // `node` has the entry's type; `path` is where the entry is. `neighbour`: a content kept lately, shared if it is the same.
  void pack(const Node& node, std::string_view path, Counted<Payload>& neighbour);
  Node unpack(std::string_view path) const;
  DiskStamp stamp() const;
  std::string_view link_target() const { return payload<LinkTarget>().text; }  // of a symlink

  // Of a directory.
  Children& children() { return payload<Directory>().children; }
  const Children& children() const { return payload<Directory>().children; }
  void insert(std::size_t at, EntryPointer child);
  // The place of a name among the children, or where it belongs.
  std::size_t position(std::string_view name) const;
  bool has(std::size_t at, std::string_view name) const { return at < children().size() && children()[at]->name() == name; }

 private:
  friend void hold(Entry* entry) noexcept;
  friend void drop(Entry* entry) noexcept;
  friend bool held_once(const Entry* entry) noexcept;

  struct FileContent final : Payload {
    explicit FileContent(Content bytes) : content(std::move(bytes)) {}
    Content content;  // the path left empty: the entry's own
  };
  struct LinkTarget final : Payload {
    explicit LinkTarget(std::string target) : text(std::move(target)) {}
    std::string text;
  };
  struct Directory final : Payload {
    Children children;
  };
  template <class Kind>
  Kind& payload() const {
    return *static_cast<Kind*>(payload_.get());
  }
  void set_content(const Content& content, std::string_view path, Counted<Payload>& neighbour);

  static constexpr unsigned mode_bits = 12;

  // What most nodes do not have.
  struct Rare {
    std::shared_ptr<const Xattrs> xattrs;
    std::uint64_t link_id = 0;
    std::uint32_t device_major = 0;
    std::uint32_t device_minor = 0;
    FileTime mtime;                    // where nanoseconds since 1970 do not fit into 64 bits
    std::unique_ptr<DiskStamp> stamp;  // where it says something else than the node
    Rare() = default;
    Rare(const Rare& other);
    bool needed() const;
  };

  Entry(std::string_view name, FileType type);
  DiskStamp usual_stamp() const;

  std::atomic<std::uint32_t> references_ = 0;
  std::uint16_t type_and_mode_;
  std::uint16_t name_length_;
  std::uint32_t uid_ = 0;
  std::uint32_t gid_ = 0;
  std::int64_t mtime_ns_ = 0;
  std::uint64_t size_ = 0;
  std::uint64_t inode_ = 0;
  std::int64_t ctime_ns_ = 0;
  Counted<Payload> payload_;  // regular files: null for one without content; other types than the three above: null
  std::unique_ptr<Rare> rare_;
  // The name follows.
};

}  // namespace kiln::engine
