#include "engine/capture/tar_layout.hpp"

#include <algorithm>
#include <utility>

#include "io/base/error.hpp"
#include "oci/tar/whiteout.hpp"
#include "oci/tar/writer.hpp"

namespace kiln::engine {

namespace {

bool is_below(std::string_view path, std::string_view directory) {
  return path.size() > directory.size() && path.starts_with(directory) && path[directory.size()] == '/';
}

}  // namespace

TarLayout::TarLayout(Tree tree, Changes changes, LayerSettings settings)
    : tree_(std::move(tree)), changes_(std::move(changes)), settings_(settings) {}

bool TarLayout::next(LayoutEntry& entry) {
  while (pending_.empty()) {
    if (next_change_ == changes_.size()) return false;
    const Change& change = changes_[next_change_++];
    queue(change.path, change.kind == Change::Kind::remove);
    queue_parents(change.path);
  }
  const Pending pending = std::move(pending_.back());
  pending_.pop_back();
  entry = pending.whiteout ? make_whiteout(pending.path) : make_entry(pending.path);
  ++entries_;
  return true;
}

void TarLayout::queue(std::string path, bool whiteout) { pending_.push_back({std::move(path), whiteout}); }

// Pushes the parents that are not on the open chain, the outermost on top, and moves the chain to `path`.
void TarLayout::queue_parents(const std::string& path) {
  while (!open_directories_.empty() && !is_below(path, open_directories_.back())) open_directories_.pop_back();
  std::vector<std::string> missing;
  std::size_t from = open_directories_.empty() ? 0 : open_directories_.back().size() + 1;
  for (std::size_t slash = path.find('/', from); slash != std::string::npos; slash = path.find('/', slash + 1)) {
    missing.push_back(path.substr(0, slash));
  }
  open_directories_.insert(open_directories_.end(), missing.begin(), missing.end());
  for (auto parent = missing.rbegin(); parent != missing.rend(); ++parent) queue(*parent, false);
  const auto node = tree_.find(path);
  if (node && node->is_directory()) open_directories_.push_back(path);
}

// Whole seconds, as containerd's differ writes them, so that equal files give equal layers from every builder.
FileTime TarLayout::layer_time(FileTime time) const {
  if (settings_.fixed_mtime) return *settings_.fixed_mtime;
  if (settings_.newest_mtime && time > *settings_.newest_mtime) time = *settings_.newest_mtime;
  time.nanoseconds = 0;
  return time;
}

LayoutEntry TarLayout::make_entry(const std::string& path) {
  const auto node = tree_.find(path);
  if (!node) throw io::Error(io::ErrorKind::internal, "writing a layer: changed path '" + path + "' is not in the tree");
  oci::TarEntry header;
  header.path = path;
  header.type = node->type;
  header.mode = node->mode;
  header.uid = node->uid;
  header.gid = node->gid;
  header.mtime = layer_time(node->mtime);
  header.device_major = node->device_major;
  header.device_minor = node->device_minor;
  header.link_target = node->link_target;

  LayoutEntry entry;
  entry.path = path;
  const auto carrier = node->link_id ? links_.find(node->link_id) : links_.end();
  if (carrier != links_.end()) {
    header.type = FileType::hard_link;
    header.link_target = carrier->second;
  } else {
    if (node->link_id) links_.emplace(node->link_id, path);
    if (node->xattrs) header.xattrs = *node->xattrs;
    if (node->type == FileType::regular) {
      header.size = node->size;
      entry.content = node->content;
      entry.content_size = node->size;
    }
  }
  entry.header = oci::tar_header(header);
  return entry;
}

LayoutEntry TarLayout::make_whiteout(const std::string& path) {
  oci::TarEntry header;
  header.path = oci::whiteout_path(path);
  header.mode = 0;
  LayoutEntry entry;
  entry.path = header.path;
  entry.header = oci::tar_header(header);
  return entry;
}

}  // namespace kiln::engine
