// Watch: directories in which inotify saw something happen are compared with the Tree's stamps, the others are not looked at.
#include <fcntl.h>
#include <unistd.h>

#include <unordered_set>

#include <spdlog/spdlog.h>

#include "engine/plan/path.hpp"
#include "engine/snapshot/detectors.hpp"
#include "engine/snapshot/watches.hpp"
#include "io/file/open_beneath.hpp"

namespace kiln::engine {

namespace {

using io::Task;

// Calls `visit` with the path and the View of every directory of a tree, until it gives false for those below one.
template <class Visit>
void for_each_directory(const Tree& tree, const Visit& visit) {
  std::vector<std::pair<std::string, Tree::View>> todo = {{"", tree.view("")}};
  while (!todo.empty()) {
    const auto [path, view] = std::move(todo.back());
    todo.pop_back();
    if (!visit(path, view)) continue;
    for (std::size_t i = 0; i < view.count(); ++i) {
      const Tree::View child = view.child(i);
      if (child.type() == FileType::directory) todo.emplace_back(join_path(path, view.name(i)), child);
    }
  }
}

// Compares single directories, and finds the others that must be looked at: a file that was changed through one name has
// changed under all its names, and only the directory of the first was told of.
class DirectoryScan {
 public:
  DirectoryScan(const Rootfs& root, const Tree& before)
      : root_(root.directories().back()->directory.get()),
        keep_(root.protected_paths()),
        before_(before),
        reader_(root_, keep_),
        visitor_(before, keep_, StampRule::inode_and_ctime) {}

  Findings run(const std::unordered_set<std::string>& directories) {
    for (const auto& path : directories) look_at(path);
    while (collect_inodes()) look_at_other_names();
    for (auto& entry : own_entries_) {
      // Otherwise it is among what was found in its parent.
      if (!scanned_.contains(std::string(parent_of(entry.path)))) visitor_.found.candidates.push_back(std::move(entry));
    }
    return std::move(visitor_.found);
  }

 private:
  void look_at(const std::string& path) {
    if (!scanned_.insert(path).second) return;
    std::vector<std::string> below;  // watched themselves
    if (reader_.read(path, visitor_, below) && !path.empty()) look_at_itself(path);
  }

  // What happens in a directory changes its time, and its parent need not have been told.
  void look_at_itself(const std::string& path) {
    struct stat status{};
    const io::UniqueFd directory = io::open_beneath(root_, path, O_PATH);
    const Tree::View view = before_.view(path);
    if (!directory || !view || fstat(directory.get(), &status) != 0) return;
    if (may_have_changed(StampRule::inode_and_ctime, view.stamp(), status)) own_entries_.push_back(disk_entry(path, status));
  }

  // Inodes that may have other names, of what was found since the last time; false if there are none.
  bool collect_inodes() {
    inodes_.clear();
    const Findings& found = visitor_.found;
    for (; next_candidate_ < found.candidates.size(); ++next_candidate_) {
      const DiskEntry& entry = found.candidates[next_candidate_];
      if (S_ISDIR(entry.stamp.mode)) continue;
      if (entry.links > 1) inodes_.insert(entry.stamp.inode);
      const Tree::View before = before_.view(entry.path);
      if (before && before.stamp().inode != entry.stamp.inode) add_inodes(before);
    }
    for (; next_removed_ < found.removed.size(); ++next_removed_) add_inodes(before_.view(found.removed[next_removed_]));
    return !inodes_.empty();
  }

  void add_inodes(const Tree::View& view) {
    std::vector<Tree::View> todo = {view};
    while (!todo.empty()) {
      const Tree::View next = todo.back();
      todo.pop_back();
      if (next.type() != FileType::directory) inodes_.insert(next.stamp().inode);
      for (std::size_t i = 0; i < next.count(); ++i) todo.push_back(next.child(i));
    }
  }

  void look_at_other_names() {
    std::vector<std::string> directories;
    for_each_directory(before_, [&](const std::string& path, const Tree::View& view) {
      bool wanted = false;
      for (std::size_t i = 0; i < view.count() && !wanted; ++i) {
        const Tree::View child = view.child(i);
        wanted = child.type() != FileType::directory && inodes_.contains(child.stamp().inode);
      }
      if (wanted) directories.push_back(path);
      return true;
    });
    for (const auto& path : directories) look_at(path);
  }

  int root_;
  const ProtectedPaths& keep_;
  const Tree& before_;
  DiskReader reader_;
  ScanVisitor visitor_;
  std::vector<DiskEntry> own_entries_;
  std::unordered_set<std::string> scanned_;
  std::unordered_set<std::uint64_t> inodes_;
  std::size_t next_candidate_ = 0;
  std::size_t next_removed_ = 0;
};

class WatchDetector final : public DirectoryDetector {
 public:
  explicit WatchDetector(io::Runtime& runtime) : DirectoryDetector(runtime) {}

  std::string_view name() const noexcept override { return name_of(SnapshotMode::watch); }

  Task<void> arm(const Rootfs& root, const Tree& tree) override {
    auto work = [this, &root, &tree] { watch_everything(root, tree); };
    co_await io::offload(runtime_.cpu(), work);
    co_await wait_for_tick();
  }

  Task<Changes> detect(Rootfs& root, Tree& tree) override {
    if (watches_.is_open()) watches_.drain(root.protected_paths());
    Findings found;
    if (watches_.is_open() && watches_.doubt().empty()) {
      auto work = [&] { return DirectoryScan(root, tree).run(watches_.touched()); };
      found = co_await io::offload(runtime_.cpu(), work);
    } else {
      spdlog::debug("everything is compared: {}", watches_.is_open() ? watches_.doubt() : watches_.why());
      found = co_await scan_all(runtime_, root, tree, StampRule::inode_and_ctime);
    }
    watches_.touched().clear();
    Changes changes = co_await apply(root, tree, std::move(found));
    co_return changes;
  }

 private:
  // Every directory of the Tree, and those that are on disk only because something below them is mounted.
  void watch_everything(const Rootfs& root, const Tree& tree) {
    if (refused_) return;
    const ProtectedPaths& keep = root.protected_paths();
    if (watches_.is_open()) watches_.drain(keep);
    if (!watches_.is_open() || watches_.stale()) watches_.open();
    watches_.forget_doubt();
    const int fd = root.directories().back()->directory.get();
    const auto add = [&](const std::string& path) { return watches_.watched(path) || watches_.add(fd, path); };
    bool complete = watches_.is_open();
    for_each_directory(tree, [&](const std::string& path, const Tree::View&) {
      if (!complete || keep.covers(path)) return false;
      complete = add(path);
      return complete;
    });
    for (const auto& path : keep.paths()) {
      for (std::size_t slash = path.find('/'); complete && slash != std::string::npos; slash = path.find('/', slash + 1)) {
        if (!keep.covers(path.substr(0, slash))) complete = add(path.substr(0, slash));
      }
    }
    if (complete) return;
    spdlog::warn("snapshots compare everything, as directories cannot be watched: {}", watches_.why());
    refused_ = true;
    watches_.close();
  }

  Watches watches_;
  bool refused_ = false;
};

}  // namespace

std::unique_ptr<Detector> make_watch_detector(io::Runtime& runtime) { return std::make_unique<WatchDetector>(runtime); }

}  // namespace kiln::engine
