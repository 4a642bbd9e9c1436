#include "engine/snapshot/scan.hpp"

#include "engine/rootfs/entry_writer.hpp"
#include "engine/snapshot/compare.hpp"

namespace kiln::engine {

using io::Task;

bool may_have_changed(StampRule rule, const DiskStamp& then, const struct stat& status) {
  if (!then.on_disk()) return true;
  const DiskStamp now = stamp_of(status);
  if (then.mode != now.mode || then.uid != now.uid || then.gid != now.gid || then.mtime_ns != now.mtime_ns) return true;
  if (S_ISDIR(now.mode)) return false;
  switch (rule) {
    case StampRule::mtime: return false;
    case StampRule::mtime_and_size: return then.size != now.size;
    case StampRule::inode_and_ctime: return then.size != now.size || then.inode != now.inode || then.ctime_ns != now.ctime_ns;
  }
  return true;
}

void ScanVisitor::enter(const std::string& directory) {
  directory_ = directory;
  view_ = before_.view(directory);
  seen_.assign(view_.count(), false);
}

void ScanVisitor::entry(std::string_view name, const struct stat& status) {
  const std::size_t number = view_.position(name);
  if (number == view_.count()) {
    std::string path = join_path(directory_, name);
    // A directory that is there because something in it was mounted when the container started: no RUN has made it.
    if (S_ISDIR(status.st_mode) && keep_.below(path)) return;
    found.candidates.push_back(disk_entry(std::move(path), status));
    return;
  }
  seen_[number] = true;
  if (may_have_changed(rule_, view_.child(number).stamp(), status)) {
    found.candidates.push_back(disk_entry(join_path(directory_, name), status));
  } else if (list_quiet_ && S_ISREG(status.st_mode)) {
    found.quiet.push_back(disk_entry(join_path(directory_, name), status));
  }
}

// Names that the Tree has and the disk has not; those that were never put on disk stay.
void ScanVisitor::leave(int) {
  for (std::size_t number = 0; number < seen_.size(); ++number) {
    if (seen_[number] || !view_.child(number).stamp().on_disk()) continue;
    std::string path = join_path(directory_, view_.name(number));
    if (!keep_.covers(path)) found.removed.push_back(std::move(path));
  }
}

void Originals::keep(const Tree& tree, const Changes& changes, const oci::SpoolBlobPtr& blob) {
  const auto layer = std::make_shared<const ContentLayer>(ContentLayer{blob});
  std::unordered_map<std::uint64_t, std::string> first_names;  // the others of an inode are links to it in the layer
  for (const auto& change : changes) {
    const auto node = change.kind == Change::Kind::put ? tree.find(change.path) : std::nullopt;
    if (!node || node->type != FileType::regular) continue;
    Content content;
    content.layer = layer;
    content.path = node->link_id == 0 ? change.path : first_names.emplace(node->link_id, change.path).first->second;
    captured_[change.path] = std::move(content);
  }
}

Content Originals::original_of(const Rootfs& root, const Node& node, const std::string& path) const {
  if (node.content.directory != root.directories().back()) return node.content;
  const auto captured = captured_.find(path);
  return captured == captured_.end() ? Content() : captured->second;
}

Task<std::unordered_map<std::string, Content>> Originals::fetch(Rootfs& root, const Tree& before,
                                                                const std::vector<DiskEntry>& candidates) {
  std::unordered_map<std::string, Content> originals;
  for (const auto& entry : candidates) {
    const auto node = before.find(entry.path);
    if (!node || node->type != FileType::regular || !S_ISREG(entry.stamp.mode)) continue;
    if (node->stamp.mtime_ns != entry.stamp.mtime_ns || node->stamp.size != entry.stamp.size) continue;
    Content content = original_of(root, *node, entry.path);
    if (content.known()) originals.emplace(entry.path, std::move(content));
  }
  std::vector<Content*> in_layers;
  for (auto& [path, content] : originals) {
    if (content.layer) in_layers.push_back(&content);
  }
  if (!in_layers.empty()) co_await materialize_layer_contents(runtime_, std::move(in_layers), root.scratch());
  co_return originals;
}

Task<Findings> scan_all(io::Runtime& runtime, const Rootfs& root, const Tree& before, StampRule rule, bool list_quiet) {
  const ProtectedPaths& keep = root.protected_paths();
  const auto make = [&] { return std::make_unique<ScanVisitor>(before, keep, rule, list_quiet); };
  const auto visitors = co_await walk_with<ScanVisitor>(runtime, root.directories().back()->directory.get(), keep, make);
  Findings all;
  for (const auto& visitor : visitors) {
    append(all.candidates, visitor->found.candidates);
    append(all.removed, visitor->found.removed);
    append(all.quiet, visitor->found.quiet);
  }
  co_return all;
}

Task<Changes> apply_findings(io::Runtime& runtime, Originals& originals, Rootfs& root, Tree& tree, Findings found) {
  const auto contents = co_await originals.fetch(root, tree, found.candidates);
  CompareSource source;
  source.directory = root.directories().back();
  source.original = [&contents](const std::string& path) {
    const auto content = contents.find(path);
    return content == contents.end() ? Content() : content->second;
  };
  Changes changes = co_await apply_candidates(runtime, tree, std::move(found.candidates), std::move(found.removed), source);
  co_return changes;
}

}  // namespace kiln::engine
