#include "engine/snapshot/compare.hpp"

#include <fcntl.h>
#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <map>
#include <set>

#include <fmt/format.h>

#include "io/base/error.hpp"
#include "io/file/open_beneath.hpp"
#include "io/file/xattrs.hpp"

namespace kiln::engine {

namespace {

FileType type_of(std::uint32_t mode) {
  switch (mode & S_IFMT) {
    case S_IFDIR: return FileType::directory;
    case S_IFLNK: return FileType::symlink;
    case S_IFCHR: return FileType::char_device;
    case S_IFBLK: return FileType::block_device;
    case S_IFIFO: return FileType::fifo;
    default: return FileType::regular;
  }
}

// A process that is not root owns all it makes; inside its user namespace that is root.
std::uint32_t owner_in_image(std::uint32_t id, std::uint32_t own) { return own != 0 && id == own ? 0 : id; }

bool is_overlay_bookkeeping(std::string_view name) {
  return name.starts_with("user.overlay.") || name.starts_with("trusted.overlay.") || name == "security.selinux";
}

std::shared_ptr<const Xattrs> read_xattrs(int fd) {
  std::optional<Xattrs> xattrs = io::xattrs_of(fd);
  if (!xattrs) return nullptr;
  std::erase_if(*xattrs, [](const auto& attribute) { return is_overlay_bookkeeping(attribute.first); });
  if (xattrs->empty()) return nullptr;
  return std::make_shared<const Xattrs>(std::move(*xattrs));
}

std::string read_link(int root, const std::string& path) {
  const io::UniqueFd link = io::open_beneath(root, path, O_PATH);
  std::string target(4096, '\0');
  const ssize_t length = link ? readlinkat(link.get(), "", target.data(), target.size()) : -1;
  if (length < 0) io::throw_errno(errno, fmt::format("reading link '/{}'", path));
  target.resize(static_cast<std::size_t>(length));
  return target;
}

// The node that the disk shows at a candidate.
Node node_from_disk(const DiskEntry& entry, const std::shared_ptr<const ContentDirectory>& directory) {
  const int root = directory->directory.get();
  Node node;
  node.type = type_of(entry.stamp.mode);
  node.mode = entry.stamp.mode & 07777;
  node.uid = owner_in_image(entry.stamp.uid, geteuid());
  node.gid = owner_in_image(entry.stamp.gid, getegid());
  node.mtime = file_time(entry.stamp.mtime_ns);
  node.stamp = entry.stamp;
  if (node.type == FileType::symlink) node.link_target = read_link(root, entry.path);
  if (node.type == FileType::char_device || node.type == FileType::block_device) {
    node.device_major = entry.device_major;
    node.device_minor = entry.device_minor;
  }
  if (node.type == FileType::regular) {
    node.size = entry.stamp.size;
    node.content.directory = directory;
    node.content.path = entry.path;
  }
  if (node.type == FileType::regular || node.type == FileType::directory) {
    const io::UniqueFd fd = io::open_beneath(root, entry.path, O_RDONLY | O_NONBLOCK);
    if (fd) node.xattrs = read_xattrs(fd.get());
  }
  return node;
}

// security.capability wants root with SETFCAP, which CRI-O's containers do not have.
bool may_set_capabilities() { return geteuid() == 0 && prctl(PR_CAPBSET_READ, CAP_SETFCAP, 0, 0, 0) == 1; }

// Takes over from the Tree what the disk was not able to hold: fields in which the disk has not changed since its stamp.
void keep_exact_values(const Node& before, Node& now) {
  const DiskStamp& stamp = before.stamp;
  if (!stamp.on_disk() || (stamp.mode & S_IFMT) != (now.stamp.mode & S_IFMT)) return;
  // An inode's number alone is given to the next file when this one is removed.
  const bool same_file = stamp.inode == now.stamp.inode && stamp.mtime_ns == now.stamp.mtime_ns;
  if (type_of(stamp.mode) != before.type && same_file) {  // a stand-in for a device
    now.type = before.type;
    now.size = before.size;
    now.content = {};
    now.device_major = before.device_major;
    now.device_minor = before.device_minor;
  }
  if (stamp.mode == now.stamp.mode) now.mode = before.mode;
  if (stamp.uid == now.stamp.uid) now.uid = before.uid;
  if (stamp.gid == now.stamp.gid) now.gid = before.gid;
  if (stamp.mtime_ns == now.stamp.mtime_ns) now.mtime = before.mtime;
  // Attributes that could not be set: still missing, and nothing was added.
  const bool written = stamp.mtime_ns != now.stamp.mtime_ns || stamp.size != now.stamp.size;  // the kernel then drops capabilities
  if (before.xattrs && !now.xattrs && same_file && !written && !may_set_capabilities()) now.xattrs = before.xattrs;
}

bool holds(const io::UniqueFd& file, std::string_view bytes) {
  std::string read(bytes.size(), '\0');
  return pread(file.get(), read.data(), read.size(), 0) == static_cast<ssize_t>(bytes.size()) && read == bytes;
}

// `original` is inline or a file, `now` a file.
bool same_bytes(const Content& original, const Content& now, std::uint64_t size) {
  const io::UniqueFd second = io::open_beneath(now.directory->directory.get(), now.path, O_RDONLY | O_NONBLOCK);
  if (!second) return false;
  if (original.inline_bytes) return holds(second, original.inline_bytes->bytes);
  const io::UniqueFd first = io::open_beneath(original.directory->directory.get(), original.path, O_RDONLY | O_NONBLOCK);
  if (!first) return false;
  std::vector<char> left(128U << 10U), right(128U << 10U);
  for (std::uint64_t offset = 0; offset < size;) {
    const ssize_t count = pread(first.get(), left.data(), left.size(), static_cast<off_t>(offset));
    if (count <= 0) return false;
    const auto length = static_cast<std::size_t>(count);
    if (pread(second.get(), right.data(), length, static_cast<off_t>(offset)) != count) return false;
    if (std::memcmp(left.data(), right.data(), length) != 0) return false;
    offset += length;
  }
  return true;
}

struct Compared {
  std::string path;
  Node node;
  std::uint64_t device = 0;
  bool linked = false;  // more than one name
  bool changed = true;
};

class Comparison {
 public:
  Comparison(Tree& tree, const CompareSource& source) : tree_(tree), source_(source) {}

  Changes run(std::vector<DiskEntry> candidates, const std::vector<std::string>& removed) {
    std::sort(candidates.begin(), candidates.end(), [](const DiskEntry& a, const DiskEntry& b) { return a.path < b.path; });
    for (const auto& entry : candidates) compared_.push_back(compare(entry));
    join_links();
    return update_tree(removed);
  }

 private:
  Compared compare(const DiskEntry& entry) {
    Compared result{entry.path, node_from_disk(entry, source_.directory), entry.device, false, true};
    result.linked = result.node.type != FileType::directory && entry.links > 1;
    const auto before = tree_.find(entry.path);
    if (!before) return result;
    keep_exact_values(*before, result.node);
    if (result.node.type == FileType::regular && before->type == FileType::regular) result.node.link_id = before->link_id;
    if (!same_metadata(*before, result.node)) return result;
    result.changed = false;
    if (result.node.type != FileType::regular) return result;
    const Content original = source_.original ? source_.original(entry.path) : Content();
    result.changed = !original.known() || !same_bytes(original, result.node.content, result.node.size);
    if (!result.changed) result.node.content = before->content;
    return result;
  }

  // Changed names of one inode get one link_id. A name that did not change is left out even when another name of its inode
  // is new: an overlay, where a copy has no other names, shows it like that, and the layer must not depend on the shape.
  void join_links() {
    std::map<std::pair<std::uint64_t, std::uint64_t>, std::vector<Compared*>> inodes;
    for (auto& item : compared_) {
      if (!item.changed) continue;
      item.node.link_id = 0;
      if (item.linked) inodes[{item.device, item.node.stamp.inode}].push_back(&item);
    }
    for (auto& [inode, names] : inodes) {
      if (names.size() < 2) continue;
      const std::uint64_t id = tree_.new_link_id();
      for (Compared* item : names) item->node.link_id = id;
    }
  }

  Changes update_tree(const std::vector<std::string>& removed) {
    Changes changes;
    for (const auto& path : removed) {
      if (tree_.remove(path)) changes.push_back({Change::Kind::remove, path});
    }
    for (auto& item : compared_) {
      if (item.changed) changes.push_back({Change::Kind::put, item.path});
      tree_.put(item.path, std::move(item.node));
    }
    // By components, so that a directory stands before what is in it and all of that before its next sibling.
    std::ranges::sort(changes, path_less, &Change::path);
    return changes;
  }

  Tree& tree_;
  const CompareSource& source_;
  std::vector<Compared> compared_;
};

}  // namespace

io::Task<Changes> apply_candidates(io::Runtime& runtime, Tree& tree, std::vector<DiskEntry> candidates,
                                   std::vector<std::string> removed, CompareSource source) {
  auto work = [&tree, &candidates, &removed, &source] { return Comparison(tree, source).run(std::move(candidates), removed); };
  Changes changes = co_await io::offload(runtime.cpu(), work);
  co_return changes;
}

}  // namespace kiln::engine
