// Overlay: what a RUN changed is in the upper directory, with whiteouts and opaque directories for what it removed.
#include <sys/sysmacros.h>
#include <sys/xattr.h>

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

  void enter(const std::string& directory) override {
    directory_ = directory;
    view_ = before_.view(directory);
    seen_.assign(view_.count(), false);
  }

  void entry(std::string_view name, const struct stat& status) override {
    const std::size_t number = view_.position(name);
    if (number < view_.count()) seen_[number] = true;
    const bool whiteout = S_ISCHR(status.st_mode) && status.st_rdev == makedev(0, 0);
    if (whiteout) {
      removed.push_back(join_path(directory_, name));
    } else {
      found.push_back(disk_entry(join_path(directory_, name), status));
    }
  }

  // In the place of something: that is gone.
  void socket(std::string_view name) override {
    const std::size_t number = view_.position(name);
    if (number >= view_.count()) return;
    seen_[number] = true;
    removed.push_back(join_path(directory_, name));
  }

  // An opaque directory has nothing of what was in it before.
  void leave(int directory) override {
    if (directory_.empty() || !is_opaque(directory)) return;
    for (std::size_t number = 0; number < seen_.size(); ++number) {
      if (!seen_[number]) removed.push_back(join_path(directory_, view_.name(number)));
    }
  }

  std::vector<DiskEntry> found;
  std::vector<std::string> removed;  // topmost paths

 private:
  const Tree& before_;
  std::string directory_;
  Tree::View view_;  // of the directory
  std::vector<bool> seen_;
};

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
    for (const auto& visitor : visitors) {
      append(found, visitor->found);
      append(removed, visitor->removed);
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
