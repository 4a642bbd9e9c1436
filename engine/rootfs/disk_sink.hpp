// A layer's way to the disk.
#pragma once

#include "engine/rootfs/disk_writer.hpp"
#include "engine/rootfs/layer_reader.hpp"
#include "engine/rootfs/write_behind.hpp"
#include "engine/tree/tree.hpp"

namespace kiln::engine {

// Puts a layer's entries on disk, the content straight from the archive or staged. Small new files are left to `behind`; whatever
// acts on paths that are there (removal, replacement, hard links) waits for those first. The stamps of files written behind go to
// `tree` no later than end_layer(). All arguments are borrowed; `tree` is the one that the layer is applied to.
class DiskSink final : public LayerSink {
 public:
  DiskSink(DiskWriter& writer, WriteBehind& behind, Tree& tree, LayerReader& layer)
      : writer_(writer), behind_(behind), tree_(tree), layer_(layer) {}

  void remove(const std::string& path) override;
  void put(const std::string& path, Node& node) override;
  void link(const std::string& path, const std::string& target, Node& node) override;
  void end_layer() override { settle(); }

 private:
  bool may_wait(const std::string& path, const Node& node) const;
  bool disturbs(const std::string& path, const Node& node) const;
  void settle();

  DiskWriter& writer_;
  WriteBehind& behind_;
  Tree& tree_;
  LayerReader& layer_;
};

}  // namespace kiln::engine
