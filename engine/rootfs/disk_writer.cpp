#include "engine/rootfs/disk_writer.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include <fmt/format.h>

#include "engine/plan/path.hpp"
#include "engine/rootfs/spread_directory.hpp"
#include "io/base/error.hpp"
#include "io/file/open_beneath.hpp"

namespace kiln::engine {

namespace {

constexpr std::size_t most_open_directories = 256;

}  // namespace

DiskWriter::DiskWriter(int root, const ProtectedPaths& protected_paths)
    : root_(root), protected_(protected_paths), entries_(protected_paths) {}

// The descriptor of a directory, which is made with its parents where it is missing.
DirectoryHandle DiskWriter::open_directory(const std::string& path) {
  const auto known = directories_.find(path);
  if (known != directories_.end()) return known->second;
  if (path.empty()) {
    const int copy = fcntl(root_, F_DUPFD_CLOEXEC, 3);
    if (copy < 0) fail_in_root("opening directory", path);
    return directories_[path] = std::make_shared<const io::UniqueFd>(copy);
  }
  io::UniqueFd fd = io::open_beneath(root_, path, O_PATH | O_DIRECTORY);
  if (!fd && (errno == ENOENT || errno == ENOTDIR || errno == ELOOP)) {
    make_directory(path, Node());
    fd = io::open_beneath(root_, path, O_PATH | O_DIRECTORY);
  }
  if (!fd) fail_in_root("opening directory", path);
  if (directories_.size() >= most_open_directories) directories_.clear();
  return directories_[path] = std::make_shared<const io::UniqueFd>(std::move(fd));
}

DirectoryHandle DiskWriter::parent_directory(const std::string& path) {
  const std::string_view parent = parent_of(path);
  if (last_ && last_path_ == parent) return last_;
  std::string parent_path(parent);
  DirectoryHandle handle = open_directory(parent_path);
  touched_.insert(parent_path);
  last_path_ = std::move(parent_path);
  last_ = handle;
  return handle;
}

void DiskWriter::forget_below(const std::string& path) {
  last_.reset();
  std::erase_if(directories_, [&](const auto& entry) { return entry.first == path || entry.first.starts_with(path + "/"); });
}

void DiskWriter::make_directory(const std::string& path, const Node& node) {
  const std::string name(name_of_path(path));
  const DirectoryHandle parent = parent_directory(path);
  const mode_t mode = (node.mode & 07777) | 0700;
  touched_.insert(path);
  if (make_spread_directory(parent->get(), name, mode) == 0) return;
  if (errno != EEXIST) fail_in_root("making directory", path);
  struct stat status{};
  if (fstatat(parent->get(), name.c_str(), &status, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(status.st_mode)) return;
  if (unlinkat(parent->get(), name.c_str(), 0) != 0) fail_in_root("replacing", path);
  if (make_spread_directory(parent->get(), name, mode) != 0) fail_in_root("making directory", path);
}

void DiskWriter::put(const std::string& path, Node& node, const WriteContent& content) {
  if (node.is_directory() ? protected_.covers(path) : is_protected(path)) return;
  if (path.empty()) {
    touched_.insert(path);
    return;
  }
  if (node.is_directory()) {
    make_directory(path, node);
    return;
  }
  const DirectoryHandle parent = parent_directory(path);
  if (entries_.put(parent->get(), path, node, content)) forget_below(path);
}

void DiskWriter::adopt(const std::string& path, Node& node, const StagedFile& file) {
  if (is_protected(path)) return;
  const std::string name(name_of_path(path));
  const DirectoryHandle parent = parent_directory(path);
  const auto move_in = [&] { return renameat(file.directory->get(), file.name.c_str(), parent->get(), name.c_str()) == 0; };
  if (!move_in()) {
    if (errno != EISDIR && errno != ENOTEMPTY && errno != EEXIST) fail_in_root("moving into place", path);
    remove_recursively(parent->get(), name, path, protected_);
    forget_below(path);
    if (!move_in()) fail_in_root("moving into place", path);
  }
  struct stat status{};
  if (fstatat(parent->get(), name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0) fail_in_root("reading the state of", path);
  node.stamp = stamp_of(status);
}

void DiskWriter::link(const std::string& path, const std::string& target, Node& node) {
  if (is_protected(path) || protected_.covers(target)) return;
  const std::string name(name_of_path(path));
  const std::string target_name(name_of_path(target));
  const DirectoryHandle parent = parent_directory(path);
  const DirectoryHandle target_parent = parent_directory(target);
  if (linkat(target_parent->get(), target_name.c_str(), parent->get(), name.c_str(), 0) != 0) {
    if (errno != EEXIST) fail_in_root("making hard link", path);
    remove_recursively(parent->get(), name, path, protected_);
    forget_below(path);
    if (linkat(target_parent->get(), target_name.c_str(), parent->get(), name.c_str(), 0) != 0)
      fail_in_root("making hard link", path);
  }
  struct stat status{};
  if (fstatat(parent->get(), name.c_str(), &status, AT_SYMLINK_NOFOLLOW) == 0) node.stamp = stamp_of(status);
}

void DiskWriter::remove(const std::string& path) {
  if (protected_.covers(path)) return;
  const DirectoryHandle parent = parent_directory(path);
  remove_recursively(parent->get(), std::string(name_of_path(path)), path, protected_);
  forget_below(path);
}

void DiskWriter::finish_directories(Tree& tree) {
  for (auto path = touched_.rbegin(); path != touched_.rend(); ++path) {  // children sort after their parents
    const auto node = tree.find(*path);
    if (!node || !node->is_directory() || protected_.covers(*path)) continue;
    const io::UniqueFd fd = io::open_beneath(root_, *path, O_RDONLY | O_DIRECTORY);
    if (!fd) continue;  // replaced by something else in the meantime
    const DiskStamp stamp = entries_.finish_directory(fd.get(), *path, *node);
    tree.update(*path, [&](Node& changed) { changed.stamp = stamp; });
  }
  touched_.clear();
  directories_.clear();
  last_.reset();
}

}  // namespace kiln::engine
