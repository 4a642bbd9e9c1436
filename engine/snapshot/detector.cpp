#include "engine/snapshot/detector.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <ctime>
#include <map>

#include <fmt/format.h>

#include "engine/snapshot/compare.hpp"
#include "engine/snapshot/disk_walk.hpp"
#include "io/base/error.hpp"
#include "io/codec/digest.hpp"
#include "io/file/open_beneath.hpp"

namespace kiln::engine {

namespace {

using io::Task;

// Waits until the file system's clock has ticked past now: a change that comes later cannot carry a stamp's ctime.
Task<void> wait_for_tick() {
  const auto now = [] {
    timespec time{};
    clock_gettime(CLOCK_REALTIME_COARSE, &time);
    return time.tv_sec * 1'000'000'000LL + time.tv_nsec;
  };
  const auto start = now();
  while (now() == start) co_await io::sleep_for(std::chrono::microseconds(500));
}

io::Xxh128Value hash_file(int root, const std::string& path) {
  io::Xxh128 hash;
  const io::UniqueFd file = io::open_beneath(root, path, O_RDONLY | O_NONBLOCK);
  std::vector<std::byte> buffer(128U << 10U);
  while (file) {
    const ssize_t count = read(file.get(), buffer.data(), buffer.size());
    if (count <= 0) break;
    hash.update(io::Bytes(buffer).first(static_cast<std::size_t>(count)));
  }
  return hash.finish();
}

// What every worker of a walk collects for itself.
template <class Item>
struct PerWorker {
  explicit PerWorker(unsigned workers) : items(workers) {}
  std::vector<std::vector<Item>> items;
  std::vector<Item> join() {
    std::vector<Item> all;
    for (auto& part : items) std::move(part.begin(), part.end(), std::back_inserter(all));
    return all;
  }
};

// Compares what the disk shows with the stamps in the Tree: inode-ctime, redo, time and full.
class WalkDetector final : public Detector {
 public:
  WalkDetector(SnapshotMode mode, io::Runtime& runtime) : mode_(mode), runtime_(runtime) {}

  Task<void> arm(const Rootfs& root, const Tree&) override {
    if (mode_ == SnapshotMode::full) co_await hash_everything(root);
    co_await wait_for_tick();
  }

  Task<Changes> detect(Rootfs& root, Tree& tree) override {
    const unsigned workers = runtime_.cpu().size();
    PerWorker<DiskEntry> candidates(workers);
    PerWorker<std::string> removed(workers);
    const int fd = root.directories().back()->directory.get();
    const Tree before = tree;
    WalkVisitor visitor;
    visitor.entry = [&](unsigned worker, const DiskEntry& entry) {
      const Node* node = before.find(entry.path);
      if (!node && holds_mounts(root, entry)) return;
      if (!node || may_have_changed(fd, *node, entry)) candidates.items[worker].push_back(entry);
    };
    visitor.listing = [&](unsigned worker, const DirectoryListing& listing) {
      add_removed(before, root.protected_paths(), listing, removed.items[worker]);
    };
    co_await walk_disk(runtime_, fd, root.protected_paths(), visitor);
    std::vector<DiskEntry> entries = candidates.join();
    const auto originals = co_await fetch_originals(root, before, entries);
    CompareSource source;
    source.directory = root.directories().back();
    source.original = [&originals](const std::string& path) {
      const auto found = originals.find(path);
      return found == originals.end() ? Content() : found->second;
    };
    Changes changes = co_await apply_candidates(runtime_, tree, std::move(entries), removed.join(), source);
    co_return changes;
  }

 private:
  // What files held before, for candidates that only a ctime or an inode gives away (a chown to the same owner): metadata
  // cannot decide there, so the content is read, from the layer or from where COPY took it.
  Task<std::map<std::string, Content>> fetch_originals(Rootfs& root, const Tree& before, const std::vector<DiskEntry>& entries) {
    std::map<std::string, Content> originals;
    std::vector<Content*> wanted;
    for (const auto& entry : entries) {
      const Node* node = before.find(entry.path);
      if (!node || node->type != FileType::regular || !S_ISREG(entry.stamp.mode)) continue;
      const bool elsewhere =
          node->content.layer || (node->content.directory && node->content.directory != root.directories().back());
      if (!elsewhere) continue;
      if (node->stamp.mtime_ns != entry.stamp.mtime_ns || node->stamp.size != entry.stamp.size) continue;
      originals[entry.path] = node->content;
    }
    for (auto& [path, content] : originals) {
      if (content.layer) wanted.push_back(&content);
    }
    if (!wanted.empty()) co_await materialize_layer_contents(runtime_, std::move(wanted), root.scratch());
    co_return originals;
  }

  // A directory that is there because something in it was mounted when the container started: no RUN has made it.
  static bool holds_mounts(const Rootfs& root, const DiskEntry& entry) {
    return S_ISDIR(entry.stamp.mode) && root.protected_paths().below(entry.path);
  }

  bool may_have_changed(int root, const Node& node, const DiskEntry& entry) const {
    const DiskStamp& then = node.stamp;
    const DiskStamp& now = entry.stamp;
    if (!then.on_disk()) return true;
    const bool metadata = then.mode != now.mode || then.uid != now.uid || then.gid != now.gid || then.mtime_ns != now.mtime_ns;
    if (node.is_directory() || metadata) return metadata;
    switch (mode_) {
      case SnapshotMode::time: return false;
      case SnapshotMode::redo: return then.size != now.size;
      case SnapshotMode::full: return then.size != now.size || content_changed(root, entry);
      default: return then.size != now.size || then.inode != now.inode || then.ctime_ns != now.ctime_ns;
    }
  }

  bool content_changed(int root, const DiskEntry& entry) const {
    if (!S_ISREG(entry.stamp.mode)) return false;
    const auto known = hashes_.find(entry.path);
    return known == hashes_.end() || known->second != hash_file(root, entry.path);
  }

  // Names that the Tree has and the disk has not; those that were never put on disk stay.
  static void add_removed(const Tree& before, const ProtectedPaths& keep, const DirectoryListing& listing,
                          std::vector<std::string>& removed) {
    for (const auto& name : before.children(listing.path)) {
      if (std::binary_search(listing.names.begin(), listing.names.end(), name)) continue;
      const std::string path = listing.path.empty() ? name : listing.path + "/" + name;
      const Node* node = before.find(path);
      if (node->stamp.on_disk() && !keep.covers(path)) removed.push_back(path);
    }
  }

  Task<void> hash_everything(const Rootfs& root) {
    const int fd = root.directories().back()->directory.get();
    PerWorker<std::pair<std::string, io::Xxh128Value>> hashes(runtime_.cpu().size());
    WalkVisitor visitor;
    visitor.entry = [&](unsigned worker, const DiskEntry& entry) {
      if (S_ISREG(entry.stamp.mode)) hashes.items[worker].emplace_back(entry.path, hash_file(fd, entry.path));
    };
    co_await walk_disk(runtime_, fd, root.protected_paths(), visitor);
    hashes_.clear();
    for (auto& [path, hash] : hashes.join()) hashes_.emplace(std::move(path), hash);
  }

  SnapshotMode mode_;
  io::Runtime& runtime_;
  std::map<std::string, io::Xxh128Value> hashes_;
};

// Reads the diff off the overlay's upper directory.
class OverlayDetector final : public Detector {
 public:
  explicit OverlayDetector(io::Runtime& runtime) : runtime_(runtime) {}

  Task<void> arm(const Rootfs&, const Tree&) override { co_return; }

  Task<Changes> detect(Rootfs& root, Tree& tree) override {
    const unsigned workers = runtime_.cpu().size();
    PerWorker<DiskEntry> found(workers);
    PerWorker<std::string> whiteouts(workers);
    PerWorker<DirectoryListing> opaque(workers);
    const auto upper = root.directories().back();
    const int fd = upper->directory.get();
    WalkVisitor visitor;
    visitor.entry = [&](unsigned worker, const DiskEntry& entry) {
      const bool whiteout = S_ISCHR(entry.stamp.mode) && entry.device_major == 0 && entry.device_minor == 0;
      if (whiteout) {
        whiteouts.items[worker].push_back(entry.path);
      } else {
        found.items[worker].push_back(entry);
      }
    };
    visitor.listing = [&](unsigned worker, const DirectoryListing& listing) {
      if (!listing.path.empty() && is_opaque(fd, listing.path)) opaque.items[worker].push_back(listing);
    };
    co_await walk_disk(runtime_, fd, root.protected_paths(), visitor);
    std::vector<std::string> removed = whiteouts.join();
    add_hidden(tree, opaque.join(), removed);
    CompareSource source;
    source.directory = upper;
    source.original = [&root](const std::string& path) { return below_the_top(root, path); };
    Changes changes = co_await apply_candidates(runtime_, tree, found.join(), std::move(removed), source);
    co_return changes;
  }

 private:
  static bool is_opaque(int root, const std::string& path) {
    const io::UniqueFd directory = io::open_beneath(root, path, O_RDONLY | O_DIRECTORY);
    char value = 0;
    return directory && (fgetxattr(directory.get(), "user.overlay.opaque", &value, 1) == 1 ||
                         fgetxattr(directory.get(), "trusted.overlay.opaque", &value, 1) == 1);
  }

  // What the directory had before and has not now.
  static void add_hidden(const Tree& tree, const std::vector<DirectoryListing>& listings, std::vector<std::string>& removed) {
    for (const auto& listing : listings) {
      for (const auto& name : tree.children(listing.path)) {
        if (!std::binary_search(listing.names.begin(), listing.names.end(), name)) removed.push_back(listing.path + "/" + name);
      }
    }
  }

  static Content below_the_top(const Rootfs& root, const std::string& path) {
    const auto& directories = root.directories();
    for (std::size_t i = directories.size() - 1; i-- > 0;) {
      if (io::open_beneath(directories[i]->directory.get(), path, O_PATH)) {
        Content content;
        content.directory = directories[i];
        content.path = path;
        return content;
      }
    }
    return {};
  }

  io::Runtime& runtime_;
};

}  // namespace

std::string_view name_of(SnapshotMode mode) {
  switch (mode) {
    case SnapshotMode::automatic: return "automatic";
    case SnapshotMode::inode_ctime: return "inode-ctime";
    case SnapshotMode::overlay: return "overlay";
    case SnapshotMode::full: return "full";
    case SnapshotMode::redo: return "redo";
    case SnapshotMode::time: return "time";
  }
  return "";
}

std::unique_ptr<Detector> make_detector(SnapshotMode mode, io::Runtime& runtime, const Rootfs& root) {
  // The walks see one directory and not a stack, so an overlay is always read off its upper directory.
  if (root.shape() == RootfsShape::overlay) return std::make_unique<OverlayDetector>(runtime);
  if (mode == SnapshotMode::overlay) {
    throw io::Error(io::ErrorKind::unsupported, "the overlay snapshot needs a root file system made of overlay directories");
  }
  return std::make_unique<WalkDetector>(mode == SnapshotMode::automatic ? SnapshotMode::inode_ctime : mode, runtime);
}

}  // namespace kiln::engine
