#include <fmt/format.h>

#include "engine/plan/path.hpp"
#include "engine/tree/tree.hpp"
#include "io/base/error.hpp"
#include "oci/tar/whiteout.hpp"

namespace kiln::engine {

namespace {

// Where an entry really goes: a parent that is a symlink (lib -> usr/lib) is followed inside the tree, the last name is not.
std::string place_of(const Tree& tree, const std::string& path) { return resolve_in_tree(tree, path, false); }

}  // namespace

Node node_of(const oci::TarEntry& entry) {
  Node node;
  node.type = entry.type;
  node.mode = entry.mode;
  node.uid = entry.uid;
  node.gid = entry.gid;
  node.mtime = entry.mtime;
  node.size = entry.size;
  if (entry.type == FileType::symlink) node.link_target = entry.link_target;
  node.device_major = entry.device_major;
  node.device_minor = entry.device_minor;
  if (!entry.xattrs.empty()) node.xattrs = std::make_shared<const Xattrs>(entry.xattrs);
  return node;
}

LayerApplier::LayerApplier(Tree& tree, std::shared_ptr<const ContentLayer> layer, LayerSink* sink)
    : tree_(tree), below_(tree), layer_(std::move(layer)), sink_(sink) {}

void LayerApplier::remove(const std::string& path) {
  if (sink_) sink_->remove(path);
  tree_.remove(path);
}

// Removes what came from below and was not put again by this layer.
void LayerApplier::hide_older_children(const std::string& directory) {
  for (const auto& name : below_.children(directory)) {
    const std::string path = directory.empty() ? name : directory + "/" + name;
    if (tree_.shares(below_, path)) {  // untouched by this layer
      remove(path);
    } else if (tree_.view(path).is_directory() && below_.view(path).is_directory()) {
      hide_older_children(path);
    }
  }
}

void LayerApplier::apply_link(const oci::TarEntry& entry, const std::string& path) {
  const std::string target = place_of(tree_, entry.link_target);
  const auto existing = tree_.find(target);
  if (!existing || existing->is_directory()) {
    throw io::Error(io::ErrorKind::integrity,
                    fmt::format("layer entry '{}' is a hard link to '{}', which is not there", entry.path, entry.link_target));
  }
  if (path == target) return;
  Node node = *existing;
  if (node.link_id == 0) node.link_id = tree_.new_link_id();
  if (sink_) sink_->link(path, target, node);
  tree_.update(target, [&](Node& first) {
    first.link_id = node.link_id;
    first.stamp = node.stamp;
  });
  tree_.put(path, std::move(node));
}

void LayerApplier::apply(const oci::TarEntry& entry) {
  const oci::Whiteout whiteout = oci::parse_whiteout(entry.path);
  if (whiteout.kind == oci::WhiteoutKind::file) {
    const std::string path = place_of(tree_, whiteout.path);
    if (tree_.shares(below_, path)) {
      remove(path);
    } else {
      hide_older_children(path);
    }
    return;
  }
  if (whiteout.kind == oci::WhiteoutKind::opaque) {
    hide_older_children(resolve_in_tree(tree_, whiteout.path));
    return;
  }
  if (whiteout.path.empty() && !entry.path.empty()) return;  // bookkeeping of a union file system
  const std::string path = place_of(tree_, entry.path);
  if (entry.type == FileType::hard_link) {
    apply_link(entry, path);
    return;
  }
  Node node = node_of(entry);
  if (node.type == FileType::regular) {
    node.content.layer = layer_;
    node.content.path = entry.path;
  }
  if (sink_) sink_->put(path, node);
  tree_.put(path, std::move(node));
}

}  // namespace kiln::engine
