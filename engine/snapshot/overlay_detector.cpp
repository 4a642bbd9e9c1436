// Overlay: what a RUN changed is in the upper directory, with whiteouts and opaque directories for what it removed.
#include <sys/sysmacros.h>
#include <sys/xattr.h>

#include <string_view>
#include <unordered_map>

#include "engine/snapshot/compare.hpp"
#include "engine/snapshot/detectors.hpp"
#include "io/file/open_beneath.hpp"

namespace kiln::engine {

namespace {

using io::Task;

bool is_opaque(int directory) {
  char value = 0;
  return fgetxattr(directory, "user.overlay.opaque", &value, 1) == 1 ||
         fgetxattr(directory, "trusted.overlay.opaque", &value, 1) == 1;
}

class UpperVisitor final : public DiskVisitor {
 public:
  explicit UpperVisitor(const Tree& before) : before_(before) {}

  void enter(const std::string& directory) override { directory_ = directory; }

  void entry(std::string_view name, const struct stat& status) override {
    const bool whiteout = S_ISCHR(status.st_mode) && status.st_rdev == makedev(0, 0);
    if (whiteout) {
      removed.push_back(join_path(directory_, name));
    } else {
      found.push_back(disk_entry(join_path(directory_, name), status));
    }
  }

  // In the place of something: that is gone.
  void socket(std::string_view name) override {
    std::string path = join_path(directory_, name);
    if (before_.view(path)) removed.push_back(std::move(path));
  }

  void leave(int directory) override {
    if (!directory_.empty() && is_opaque(directory)) opaque.push_back(directory_);
  }

  std::vector<DiskEntry> found;
  std::vector<std::string> removed;  // topmost paths
  std::vector<std::string> opaque;   // directories made anew

 private:
  const Tree& before_;
  std::string directory_;
};

// What was in directories that are opaque now, and is not any more. Directories that were made in them are not opaque themselves.
std::vector<std::string> hidden_by(const std::vector<std::string>& opaque, const std::vector<DiskEntry>& found, const Tree& before,
                                   const ProtectedPaths& keep) {
  std::unordered_map<std::string_view, bool> is_directory;
  for (const auto& entry : found) is_directory.emplace(entry.path, S_ISDIR(entry.stamp.mode));
  std::vector<std::string> hidden;
  for (const auto& directory : opaque) {
    before.walk(directory, [&](const std::string& path, const Node&) {
      const auto there = is_directory.find(path);
      if (there != is_directory.end()) return there->second;
      if (!keep.covers(path)) hidden.push_back(path);
      return false;
    });
  }
  return hidden;
}

class OverlayDetector final : public Detector {
 public:
  explicit OverlayDetector(io::Runtime& runtime) : runtime_(runtime) {}

  std::string_view name() const noexcept override { return name_of(SnapshotMode::overlay); }

  Task<void> arm(const Rootfs&, const Tree&) override { co_return; }

  Task<Changes> detect(Rootfs& root, Tree& tree) override {
    const auto upper = root.directories().back();
    const Tree before = tree;
    const auto make = [&before] { return std::make_unique<UpperVisitor>(before); };
    const auto visitors = co_await walk_with<UpperVisitor>(runtime_, upper->directory.get(), root.protected_paths(), make);
    std::vector<DiskEntry> found;
    std::vector<std::string> removed;
    std::vector<std::string> opaque;
    for (const auto& visitor : visitors) {
      append(found, visitor->found);
      append(removed, visitor->removed);
      append(opaque, visitor->opaque);
    }
    if (!opaque.empty()) {
      std::vector<std::string> hidden = hidden_by(opaque, found, before, root.protected_paths());
      append(removed, hidden);
    }
    candidates_ = found.size();
    CompareSource source;
    source.directory = upper;
    source.original = [&root](const std::string& path) { return below_the_top(root, path); };
    Changes changes = co_await apply_candidates(runtime_, tree, std::move(found), std::move(removed), source);
    co_return changes;
  }

 private:
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

std::unique_ptr<Detector> make_overlay_detector(io::Runtime& runtime) { return std::make_unique<OverlayDetector>(runtime); }

}  // namespace kiln::engine
