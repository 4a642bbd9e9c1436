#include "snapshot_root.hpp"

#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <stdexcept>

#include <fmt/format.h>

#include "engine/rootfs/content_copy.hpp"

#include "../../support/run_task.hpp"

namespace kiln::testing {

namespace {

using engine::Change;
using engine::FileType;
using engine::Node;
using engine::RootfsShape;

std::string make_directory() {
  std::string path = "/var/tmp/kiln-snapshot.XXXXXX";
  if (!mkdtemp(path.data())) throw std::runtime_error("mkdtemp failed");
  return path;
}

bool mount_overlay(const std::string& lower, const std::string& upper, const std::string& work, const std::string& target) {
  if (unshare(CLONE_NEWNS) != 0 || mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) return false;
  const std::string options = fmt::format("lowerdir={},upperdir={},workdir={},index=off,redirect_dir=off", lower, upper, work);
  return mount("overlay", target.c_str(), "overlay", 0, options.c_str()) == 0;
}

int wait_for(pid_t child) {
  int status = 0;
  waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

}  // namespace

SnapshotRoot::SnapshotRoot(io::Runtime& runtime, RootfsShape shape, engine::SnapshotMode mode)
    : runtime_(runtime), directory_(make_directory()), root_(runtime, shape, directory_ + "/root", {}), mode_(mode) {
  fill();
}

SnapshotRoot::~SnapshotRoot() { std::filesystem::remove_all(directory_); }

bool SnapshotRoot::overlay_works() {
  const std::string directory = make_directory();
  for (const char* name : {"/l", "/u", "/w", "/m"}) std::filesystem::create_directory(directory + name);
  const pid_t child = fork();
  if (child == 0) _exit(mount_overlay(directory + "/l", directory + "/u", directory + "/w", directory + "/m") ? 0 : 1);
  const bool works = wait_for(child) == 0;
  std::filesystem::remove_all(directory);
  return works;
}

void SnapshotRoot::put(const std::string& path, const std::string& content, std::uint64_t link_id) {
  Node node;
  node.type = FileType::regular;
  node.mode = 0644;
  node.mtime = {1'700'000'000, 0};
  node.size = content.size();
  node.link_id = link_id;
  node.content.inline_bytes = std::make_shared<const engine::ContentInline>(engine::ContentInline{content});
  tree_.put(path, std::move(node));
}

void SnapshotRoot::fill() {
  const std::uint64_t pair = tree_.new_link_id();
  for (const char* path : {"dir/one", "dir/two", "dir/deep/three", "other/four", "top"}) put(path, fmt::format("text of {}", path));
  put("dir/pair", "linked", pair);
  put("other/pair", "linked", pair);
  Node link;
  link.type = FileType::symlink;
  link.mode = 0777;
  link.link_target = "dir/one";
  tree_.put("link", link);
  engine::Changes changes;
  tree_.walk("", [&](const std::string& path, const Node&) {
    if (!path.empty()) changes.push_back({Change::Kind::put, path});
    return true;
  });
  testing::run(runtime_, root_.apply(tree_, changes));
}

int SnapshotRoot::run_in_child(const std::function<void()>& program) {
  const auto paths = root_.directory_paths();
  const std::string target = directory_ + "/merged";
  std::string lower;
  for (std::size_t i = paths.size() - 1; i-- > 0;) lower += (lower.empty() ? "" : ":") + paths[i];
  std::filesystem::create_directories(target);
  const pid_t child = fork();
  if (child != 0) return wait_for(child);
  const bool overlay = root_.shape() == RootfsShape::overlay;
  if (overlay && !mount_overlay(lower, paths.back(), root_.overlay_work_path(), target)) _exit(99);
  if (chdir(overlay ? target.c_str() : paths.back().c_str()) != 0) _exit(98);
  program();
  _exit(0);
}

std::string SnapshotRoot::run(const std::function<void()>& program) {
  root_.push_upper(tree_);
  if (!detector_) detector_ = engine::make_detector(mode_, runtime_, root_);
  testing::run(runtime_, detector_->arm(root_, tree_));
  const int code = run_in_child(program);
  if (code != 0) throw std::runtime_error(fmt::format("the program ended with {}", code));
  engine::Changes changes;
  const auto detect = [](engine::Detector& detector, engine::Rootfs& root, engine::Tree& tree,
                         engine::Changes& found) -> io::Task<void> { found = co_await detector.detect(root, tree); };
  testing::run(runtime_, detect(*detector_, root_, tree_, changes));
  return describe(changes);
}

std::string SnapshotRoot::describe(const engine::Changes& changes) const {
  std::string text;
  std::map<std::uint64_t, std::string> links;
  for (const auto& change : changes) {
    text += change.kind == Change::Kind::remove ? "- " + change.path : "+ " + change.path + describe(change.path, links);
    text += "\n";
  }
  return text;
}

std::string SnapshotRoot::describe(const std::string& path, std::map<std::uint64_t, std::string>& links) const {
  const auto node = tree_.find(path);
  std::string text = fmt::format(" {:o}", node->mode);
  if (node->link_id != 0) {
    const auto [first, added] = links.emplace(node->link_id, path);
    if (!added) return text + " = " + first->second;
  }
  switch (node->type) {
    case FileType::directory: return text + " directory";
    case FileType::symlink: return text + " -> " + node->link_target;
    case FileType::fifo: return text + " fifo";
    case FileType::regular: return text + " '" + engine::read_small(node->content, 100) + "'";
    default: return text + " device";
  }
}

}  // namespace kiln::testing
