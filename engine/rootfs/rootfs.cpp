#include "engine/rootfs/rootfs.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <optional>

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "engine/plan/path.hpp"
#include "engine/rootfs/content_copy.hpp"
#include "engine/rootfs/disk_sink.hpp"
#include "engine/rootfs/layer_stream.hpp"
#include "engine/rootfs/mounted_links.hpp"
#include "engine/rootfs/move_aside.hpp"
#include "engine/rootfs/spread_directory.hpp"
#include "io/base/error.hpp"
#include "io/file/make_directories.hpp"
#include "io/file/open_beneath.hpp"

namespace kiln::engine {

namespace {

namespace fs = std::filesystem;
using io::Task;

std::shared_ptr<ContentDirectory> open_directory(const std::string& path) {
  auto directory = std::make_shared<ContentDirectory>();
  directory->directory = io::UniqueFd(open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!directory->directory) io::throw_errno(errno, fmt::format("opening root file system '{}'", path));
  directory->description = path;
  return directory;
}

std::string made_directory(const std::string& path) {
  make_spread_directory(path);
  return path;
}

std::vector<std::string> linked_files(const Tree& tree) {
  std::vector<std::string> paths;
  tree.walk("", [&paths](const std::string& path, const Node& node) {
    if (node.link_id != 0 && node.stamp.on_disk()) paths.push_back(path);
    return true;
  });
  return paths;
}

// A name that an inode is given, or that is taken from it, changes its ctime, and so the stamps of its other names.
void renew_stamps(int directory, Tree& tree, const std::vector<std::string>& paths) {
  for (const auto& path : paths) {
    struct stat status{};
    const auto node = tree.find(path);
    if (fstatat(directory, path.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0 || status.st_ino != node->stamp.inode) continue;
    tree.update(path, [&status](Node& changed) { changed.stamp = stamp_of(status); });
  }
}

}  // namespace

struct Rootfs::Impl {
  io::Runtime& runtime;
  RootfsShape shape;
  std::string work_directory;
  ProtectedPaths protected_paths;
  std::vector<std::shared_ptr<const ContentDirectory>> directories{};  // lowest first
  std::vector<std::string> paths{};
  std::shared_ptr<ContentDirectory> in_place_root{};
  std::shared_ptr<ContentDirectory> beside{};  // in place: the root that waits for its turn
  std::set<std::string> bare{};                // in place: directories that are no part of the image (see leave_out_bare)
  std::set<std::string> hidden{};              // in place: paths of the image where the pod has directories on the way to a mount
  std::optional<MountedLinks> links{};         // in place: those of them that are links
  std::shared_ptr<const ContentDirectory> scratch{};
  bool moved_aside = false;

  void add_directory(const std::string& path) {
    auto directory = open_directory(path);
    if (shape == RootfsShape::in_place) in_place_root = directory;
    directories.push_back(std::move(directory));
    paths.push_back(path);
  }

  int top() const { return directories.back()->directory.get(); }

  std::string staging_path() const { return work_directory + "/staging"; }

  // Where files wait while their layer is read ahead.
  std::shared_ptr<ContentDirectory> make_staging() const {
    io::make_directories(staging_path());
    return open_directory(staging_path());
  }

  void remove_staging() const {
    const io::UniqueFd parent(open(work_directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (parent) remove_recursively(parent.get(), "staging", "staging", ProtectedPaths());
  }
};

Rootfs::Rootfs(io::Runtime& runtime, RootfsShape shape, const std::string& work_directory, std::set<std::string> protected_paths)
    : impl_(std::make_unique<Impl>(Impl{runtime, shape, made_directory(work_directory), ProtectedPaths(protected_paths)})) {
  if (shape == RootfsShape::in_place) {
    impl_->add_directory("/");
    impl_->links.emplace(impl_->top());
    return;
  }
  const std::string base = impl_->work_directory + "/l0";
  io::make_directories(base);
  impl_->add_directory(base);
}

Rootfs::Rootfs(io::Runtime& runtime, const Rootfs& below, const std::string& work_directory, std::set<std::string> protected_paths)
    : impl_(std::make_unique<Impl>(
          Impl{runtime, RootfsShape::overlay, made_directory(work_directory), ProtectedPaths(protected_paths)})) {
  impl_->directories = below.impl_->directories;
  impl_->paths = below.impl_->paths;
}

Rootfs::~Rootfs() = default;

RootfsShape Rootfs::shape() const noexcept { return impl_->shape; }

Task<Tree> Rootfs::unpack(std::vector<LayerInput> layers) {
  Tree tree = co_await unpack_into(impl_->top(), std::move(layers));
  auto work = [this, &tree] { lay_links(tree); };
  co_await io::offload(impl_->runtime.waiting(), work);
  co_return tree;
}

Task<Tree> Rootfs::unpack_into(int directory, std::vector<LayerInput> layers) {
  Tree tree;
  auto work = [this, directory, &layers, &tree](std::atomic<bool>& stop) {
    DiskWriter writer(directory, impl_->protected_paths);
    WriteBehind behind(writer.entries(), io::usable_cores());
    const auto sink = [&](LayerReader& reader) { return std::make_unique<DiskSink>(writer, behind, tree, reader); };
    LayerTarget target{tree, sink, nullptr};
    const std::shared_ptr<const ContentDirectory> staging = impl_->make_staging();
    if (same_mount(staging->directory.get(), directory)) {
      target.stage = [&](std::size_t layer) {
        return std::make_unique<StagedFiles>(staging->directory.get(), fmt::format("{}.", layer), writer.entries());
      };
    }
    apply_layers(layers, target, stop);
    writer.finish_directories(tree);
    if (impl_->shape != RootfsShape::overlay) renew_stamps(directory, tree, linked_files(tree));
    impl_->remove_staging();
  };
  co_await run_stoppable(impl_->runtime, work);
  reconcile_with_mounts(tree);
  co_return tree;
}

Task<void> Rootfs::apply(Tree& tree, const Changes& changes) {
  if (impl_->shape == RootfsShape::overlay) push_upper(tree);
  auto work = [this, &tree, &changes](std::atomic<bool>& stop) {
    DiskWriter writer(impl_->top(), impl_->protected_paths);
    std::map<std::uint64_t, std::string> links;
    std::vector<std::string> linked_paths;
    for (const auto& change : changes) {
      if (stop) throw io::Error(io::ErrorKind::cancelled, "cancelled");
      if (change.kind == Change::Kind::remove) {
        writer.remove(change.path);
        continue;
      }
      Node node = *tree.find(change.path);
      const auto linked = node.link_id ? links.find(node.link_id) : links.end();
      if (linked != links.end()) {
        writer.link(change.path, linked->second, node);
      } else {
        writer.put(change.path, node, [&](int file) { copy_content(node.content, node.size, file, change.path); });
        if (node.link_id) links.emplace(node.link_id, change.path);
      }
      tree.update(change.path, [&](Node& changed) { changed.stamp = node.stamp; });
      if (node.link_id != 0) linked_paths.push_back(change.path);
    }
    writer.finish_directories(tree);
    renew_stamps(impl_->top(), tree, linked_paths);
  };
  co_await run_stoppable(impl_->runtime, work);
}

void Rootfs::push_upper(const Tree& tree) {
  if (impl_->shape != RootfsShape::overlay) return;
  const std::size_t number = impl_->directories.size();
  const std::string upper = fmt::format("{}/l{}", impl_->work_directory, number);
  io::make_directories(upper);
  io::make_directories(fmt::format("{}/w{}", impl_->work_directory, number));
  impl_->add_directory(upper);
  // The merged root's metadata is that of the topmost directory.
  const Node& root = tree.root();
  const int fd = impl_->top();
  if (fchown(fd, root.uid, root.gid) != 0) spdlog::debug("the overlay's root keeps its owner");
  fchmod(fd, root.mode & 07777);
  const timespec times[2] = {{0, UTIME_NOW}, {root.mtime.seconds, static_cast<long>(root.mtime.nanoseconds)}};
  futimens(fd, times);
}

const std::vector<std::shared_ptr<const ContentDirectory>>& Rootfs::directories() const noexcept { return impl_->directories; }
std::vector<std::string> Rootfs::directory_paths() const { return impl_->paths; }
std::string Rootfs::overlay_work_path() const {
  return fmt::format("{}/w{}", impl_->work_directory, impl_->directories.size() - 1);
}
const ProtectedPaths& Rootfs::protected_paths() const noexcept { return impl_->protected_paths; }

const std::string& Rootfs::work_directory() const noexcept { return impl_->work_directory; }

std::shared_ptr<const ContentDirectory> Rootfs::scratch() {
  if (!impl_->scratch) {
    const std::string path = impl_->work_directory + "/scratch";
    io::make_directories(path);
    impl_->scratch = open_directory(path);
  }
  return impl_->scratch;
}

Content Rootfs::locate(const std::string& path) const {
  Content content;
  content.path = path;
  for (auto directory = impl_->directories.rbegin(); directory != impl_->directories.rend(); ++directory) {
    content.directory = *directory;
    if (impl_->directories.size() == 1 || io::open_beneath((*directory)->directory.get(), path, O_PATH)) return content;
  }
  content.directory = impl_->directories.front();
  return content;
}

Task<void> Rootfs::move_aside() {
  if (impl_->shape != RootfsShape::in_place || impl_->moved_aside) co_return;
  impl_->moved_aside = true;
  const std::string aside = impl_->work_directory + "/aside";
  io::make_directories(aside);
  auto target = open_directory(aside);
  auto work = [this, fd = target->directory.get()] {
    impl_->links->take_back();
    move_tree(impl_->in_place_root->directory.get(), fd, impl_->protected_paths, {});
  };
  co_await io::offload(impl_->runtime.waiting(), work);
  impl_->in_place_root->directory = std::move(target->directory);
}

Task<Tree> Rootfs::unpack_beside(std::vector<LayerInput> layers) {
  const std::string path = impl_->work_directory + "/next";
  io::make_directories(path);
  impl_->beside = open_directory(path);
  Tree tree = co_await unpack_into(impl_->beside->directory.get(), std::move(layers));
  co_return tree;
}

Task<void> Rootfs::move_in(Tree& tree) {
  auto work = [this, &tree] {
    const int root = impl_->top();
    std::vector<std::string> merged;
    TreeMove move;
    move.moved = [&tree](const std::string& moved, int directory) {
      struct stat status{};
      const std::string name(name_of_path(moved));
      const auto node = tree.find(moved);
      if (!node || fstatat(directory, name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0) return;
      tree.update(moved, [&status](Node& changed) { changed.stamp = stamp_of(status); });
    };
    move.merged = [&merged](const std::string& directory) { merged.push_back(directory); };
    move_tree(impl_->beside->directory.get(), root, impl_->protected_paths, move);
    renew_stamps(root, tree, linked_files(tree));
    merged.emplace_back("");
    // Children come before their parents.
    EntryWriter entries(impl_->protected_paths);
    for (const auto& directory : merged) {
      const auto node = tree.find(directory);
      const io::UniqueFd fd = io::open_beneath(root, directory, O_RDONLY | O_DIRECTORY);
      if (!node || !node->is_directory() || !fd) continue;
      const DiskStamp stamp = entries.finish_directory(fd.get(), directory, *node);
      tree.update(directory, [&stamp](Node& changed) { changed.stamp = stamp; });
    }
    impl_->beside.reset();
    lay_links(tree);
  };
  co_await io::offload(impl_->runtime.waiting(), work);
}

// Where the mounts are now counts, too, with the directories on the way to them.
void Rootfs::lay_links(Tree& tree) {
  if (!impl_->links) return;
  std::set<std::string> links = impl_->hidden;
  links.insert("var/run");
  for (auto& path : impl_->links->lay(tree, links, impl_->protected_paths)) impl_->protected_paths.add(path);
  reconcile_with_mounts(tree);
}

Task<void> Rootfs::take_back_links() {
  if (!impl_->links) co_return;
  auto work = [this] { impl_->links->take_back(); };
  co_await io::offload(impl_->runtime.waiting(), work);
}

void Rootfs::leave_out_bare(const Tree& before, Tree& tree, Changes& changes) const {
  if (impl_->shape != RootfsShape::in_place) return;
  // From the end: what is in a directory comes before it is asked whether the directory is needed.
  for (std::size_t i = changes.size(); i-- > 0;) {
    const Change& change = changes[i];
    if (change.kind != Change::Kind::put || !impl_->protected_paths.below(change.path)) continue;
    const bool alone = i + 1 == changes.size() || !changes[i + 1].path.starts_with(change.path + "/");
    if (!alone || before.find(change.path) || !impl_->bare.contains(change.path)) continue;
    tree.remove(change.path);
    changes.erase(changes.begin() + static_cast<std::ptrdiff_t>(i));
  }
}

// Directories that exist only because something is mounted below them, and paths of the image that are in the way of those.
void Rootfs::reconcile_with_mounts(const Tree& tree) {
  if (impl_->shape != RootfsShape::in_place) return;
  for (const auto& path : impl_->protected_paths.paths()) {
    for (std::size_t slash = path.find('/'); slash != std::string::npos; slash = path.find('/', slash + 1)) {
      const std::string parent = path.substr(0, slash);
      const auto node = tree.find(parent);
      if (!node) {
        impl_->bare.insert(parent);
      } else if (!node->is_directory()) {
        impl_->hidden.insert(parent);
        break;
      }
    }
  }
  for (const auto& path : impl_->hidden) impl_->protected_paths.add(path);
}

Task<void> Rootfs::remove() {
  auto work = [this] {
    const ProtectedPaths none;
    try {
      if (impl_->shape == RootfsShape::in_place && !impl_->moved_aside) empty_root(impl_->top(), impl_->protected_paths);
      const std::string parent = fs::path(impl_->work_directory).parent_path();
      const io::UniqueFd directory(open(parent.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
      const std::string name = fs::path(impl_->work_directory).filename();
      if (directory) remove_recursively(directory.get(), name, name, none);
    } catch (const io::Error& error) {
      spdlog::warn("cleaning up: {}", error.message());
    }
  };
  co_await io::offload(impl_->runtime.waiting(), work);
}

Task<Tree> index_layers(io::Runtime& runtime, Tree tree, std::vector<LayerInput> layers) {
  auto work = [&layers, &tree](std::atomic<bool>& stop) { apply_layers(layers, {tree, nullptr, nullptr}, stop); };
  co_await run_stoppable(runtime, work);
  co_return tree;
}

}  // namespace kiln::engine
