// The order and the headers of a layer's entries: Changes and a Tree become a list of entries ready to be laid out.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "engine/capture/layer_writer.hpp"
#include "engine/tree/tree.hpp"

namespace kiln::engine {

// One entry: its header bytes, then `content_size` bytes of `content`, then padding.
struct LayoutEntry {
  std::string header;
  std::string path;  // for messages
  Content content;
  std::uint64_t content_size = 0;
};

// Hands out a layer's entries one after the other, so that only those of the current block are in memory.
class TarLayout {
 public:
  TarLayout(Tree tree, Changes changes, LayerSettings settings);

  // The next entry, or false at the end. Each change is preceded by those of its parents that were not written yet.
  bool next(LayoutEntry& entry);

  std::uint64_t entries() const noexcept { return entries_; }

 private:
  void queue_parents(const std::string& path);
  void queue(std::string path, bool whiteout);
  LayoutEntry make_entry(const std::string& path);
  LayoutEntry make_whiteout(const std::string& path);
  FileTime layer_time(FileTime time) const;

  struct Pending {
    std::string path;
    bool whiteout;
  };

  Tree tree_;
  Changes changes_;
  LayerSettings settings_;
  std::size_t next_change_ = 0;
  std::vector<Pending> pending_;                // the last is next
  std::vector<std::string> open_directories_;   // the chain of directories written last, outermost first
  std::map<std::uint64_t, std::string> links_;  // link_id -> the path that carries its content
  std::uint64_t entries_ = 0;
};

}  // namespace kiln::engine
