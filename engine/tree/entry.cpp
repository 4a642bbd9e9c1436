#include "engine/tree/entry.hpp"

#include <sys/stat.h>

#include <algorithm>
#include <cstring>
#include <new>

namespace kiln::engine {

namespace {

constexpr std::int64_t second = 1'000'000'000;

bool fits(FileTime time) {
  constexpr std::int64_t most = INT64_MAX / second - 1;
  return time.seconds <= most && time.seconds >= -most;
}

std::int64_t to_ns(FileTime time) { return time.seconds * second + time.nanoseconds; }

std::uint32_t type_bits(FileType type) {
  switch (type) {
    case FileType::directory: return S_IFDIR;
    case FileType::symlink: return S_IFLNK;
    case FileType::char_device: return S_IFCHR;
    case FileType::block_device: return S_IFBLK;
    case FileType::fifo: return S_IFIFO;
    default: return S_IFREG;
  }
}

}  // namespace

FileTime file_time(std::int64_t ns) {
  std::int64_t seconds = ns / second;
  std::int64_t rest = ns % second;
  if (rest < 0) {
    --seconds;
    rest += second;
  }
  return {seconds, static_cast<std::uint32_t>(rest)};
}

// -- owners -----------------------------------------------------------------------------------------------------------

void hold(Tree::Entry* entry) noexcept { entry->references_.fetch_add(1, std::memory_order_relaxed); }

void drop(Tree::Entry* entry) noexcept {
  if (entry->references_.fetch_sub(1, std::memory_order_acq_rel) != 1) return;
  entry->~Entry();
  ::operator delete(entry);
}

bool held_once(const Tree::Entry* entry) noexcept { return entry->references_.load(std::memory_order_acquire) == 1; }

void hold(Tree::Payload* payload) noexcept { payload->references.fetch_add(1, std::memory_order_relaxed); }

void drop(Tree::Payload* payload) noexcept {
  if (payload->references.fetch_sub(1, std::memory_order_acq_rel) == 1) delete payload;
}

// -- Tree::Entry ------------------------------------------------------------------------------------------------------

Tree::Entry::Rare::Rare(const Rare& other)
    : xattrs(other.xattrs),
      link_id(other.link_id),
      device_major(other.device_major),
      device_minor(other.device_minor),
      mtime(other.mtime),
      stamp(other.stamp ? std::make_unique<DiskStamp>(*other.stamp) : nullptr) {}

bool Tree::Entry::Rare::needed() const {
  return xattrs || link_id != 0 || device_major != 0 || device_minor != 0 || mtime != FileTime() || stamp;
}

Tree::Entry::Entry(std::string_view name, FileType type)
    : type_and_mode_(static_cast<std::uint16_t>(static_cast<unsigned>(type) << mode_bits)),
      name_length_(static_cast<std::uint16_t>(name.size())) {
  std::memcpy(reinterpret_cast<char*>(this + 1), name.data(), name.size());
  if (type == FileType::directory) payload_ = Counted<Payload>(new Directory);
}

Tree::EntryPointer Tree::Entry::make(std::string_view name, FileType type) {
  void* const memory = ::operator new(sizeof(Entry) + name.size());
  return EntryPointer(new (memory) Entry(name, type));
}

Tree::EntryPointer Tree::Entry::clone() const {
  EntryPointer copy = make(name(), type());
  copy->type_and_mode_ = type_and_mode_;
  copy->uid_ = uid_;
  copy->gid_ = gid_;
  copy->mtime_ns_ = mtime_ns_;
  copy->size_ = size_;
  copy->inode_ = inode_;
  copy->ctime_ns_ = ctime_ns_;
  if (is_directory()) {
    copy->children() = children();
  } else {
    copy->payload_ = payload_;
  }
  if (rare_) copy->rare_ = std::make_unique<Rare>(*rare_);
  return copy;
}

void Tree::Entry::pack(const Node& node, std::string_view path, Counted<Payload>& neighbour) {
  const unsigned type = static_cast<unsigned>(node.type) << mode_bits;
  type_and_mode_ = static_cast<std::uint16_t>(type | (node.mode & 07777U));
  uid_ = node.uid;
  gid_ = node.gid;
  size_ = node.size;
  inode_ = node.stamp.inode;
  ctime_ns_ = node.stamp.ctime_ns;
  mtime_ns_ = fits(node.mtime) ? to_ns(node.mtime) : 0;
  if (node.type == FileType::symlink) payload_ = Counted<Payload>(new LinkTarget(node.link_target));
  if (node.type == FileType::regular) set_content(node.content, path, neighbour);
  rare_.reset();
  Rare rare;
  rare.xattrs = node.xattrs;
  rare.link_id = node.link_id;
  rare.device_major = node.device_major;
  rare.device_minor = node.device_minor;
  if (!fits(node.mtime)) rare.mtime = node.mtime;
  if (node.stamp.on_disk() && node.stamp != usual_stamp()) rare.stamp = std::make_unique<DiskStamp>(node.stamp);
  if (rare.needed()) rare_ = std::make_unique<Rare>(rare);
}

void Tree::Entry::set_content(const Content& content, std::string_view path, Counted<Payload>& neighbour) {
  if (!content.known()) {
    payload_ = {};
    return;
  }
  if (content.path != path) {
    payload_ = Counted<Payload>(new FileContent(content));
    return;
  }
  const auto* shared = static_cast<const FileContent*>(neighbour.get());
  if (!shared || shared->content.directory != content.directory || shared->content.layer != content.layer) {
    Content anywhere = content;
    anywhere.path.clear();
    neighbour = Counted<Payload>(new FileContent(std::move(anywhere)));
  }
  payload_ = neighbour;
}

Node Tree::Entry::unpack(std::string_view path) const {
  Node node;
  node.type = type();
  node.mode = type_and_mode_ & 07777U;
  node.uid = uid_;
  node.gid = gid_;
  node.mtime = file_time(mtime_ns_);
  node.size = size_;
  if (node.type == FileType::symlink) node.link_target = payload<LinkTarget>().text;
  if (node.type == FileType::regular && payload_) {
    node.content = payload<FileContent>().content;
    if (node.content.path.empty() && !node.content.inline_bytes) node.content.path = path;
  }
  if (rare_) {
    node.xattrs = rare_->xattrs;
    node.link_id = rare_->link_id;
    node.device_major = rare_->device_major;
    node.device_minor = rare_->device_minor;
    if (rare_->mtime != FileTime()) node.mtime = rare_->mtime;
  }
  node.stamp = stamp();
  return node;
}

// What a disk that could hold everything says of the node.
DiskStamp Tree::Entry::usual_stamp() const {
  DiskStamp stamp;
  stamp.inode = inode_;
  stamp.ctime_ns = ctime_ns_;
  stamp.mtime_ns = mtime_ns_;
  stamp.size = type() == FileType::symlink ? payload<LinkTarget>().text.size() : size_;
  stamp.mode = type_bits(type()) | (type_and_mode_ & 07777U);
  stamp.uid = uid_;
  stamp.gid = gid_;
  return stamp;
}

DiskStamp Tree::Entry::stamp() const {
  if (inode_ == 0) return {};
  return rare_ && rare_->stamp ? *rare_->stamp : usual_stamp();
}

// Grows by a quarter: most directories never change again.
void Tree::Entry::insert(std::size_t at, EntryPointer child) {
  auto& all = children();
  if (all.size() == all.capacity()) all.reserve(all.size() + all.size() / 4 + 1);
  all.insert(all.begin() + static_cast<std::ptrdiff_t>(at), std::move(child));
}

std::size_t Tree::Entry::position(std::string_view name) const {
  const auto& all = children();
  const auto found = std::lower_bound(all.begin(), all.end(), name,
                                      [](const EntryPointer& child, std::string_view wanted) { return child->name() < wanted; });
  return static_cast<std::size_t>(found - all.begin());
}

}  // namespace kiln::engine
