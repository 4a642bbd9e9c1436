#include "engine/rootfs/disk_sink.hpp"

#include <cstring>

#include <fmt/format.h>

#include "engine/plan/path.hpp"
#include "engine/rootfs/content_copy.hpp"
#include "io/base/error.hpp"

namespace kiln::engine {

void DiskSink::settle() {
  for (const auto& written : behind_.drain()) {
    tree_.update(written.path, [&](Node& node) { node.stamp = written.stamp; });
  }
}

void DiskSink::remove(const std::string& path) {
  settle();
  writer_.remove(path);
}

void DiskSink::link(const std::string& path, const std::string& target, Node& node) {
  settle();
  writer_.link(path, target, node);
}

// Whether putting `path` takes the place of something else: of what it names, or of a parent that is no directory.
bool DiskSink::disturbs(const std::string& path, const Node& node) const {
  if (const Tree::View existing = tree_.view(path)) return !(existing.is_directory() && node.is_directory());
  return !tree_.view(parent_of(path)).is_directory();
}

bool DiskSink::may_wait(const std::string& path, const Node& node) const {
  return !node.is_directory() && !path.empty() && node.size <= WriteBehind::largest_file && !writer_.is_protected(path);
}

void DiskSink::put(const std::string& path, Node& node) {
  const bool alone = disturbs(path, node);
  if (alone) settle();
  if (const StagedFile* staged = layer_.staged()) {
    writer_.adopt(path, node, *staged);
    return;
  }
  if (alone || !may_wait(path, node)) {
    writer_.put(path, node, [&](int file) { write_entry(layer_.archive(), file, node.size, path); });
    return;
  }
  const io::MutableBytes content = behind_.add(writer_.parent_directory(path), path, node);
  if (node.type != FileType::regular) return;
  while (const auto block = layer_.archive().next_block()) {
    if (block->offset + block->bytes.size() > content.size()) {
      throw io::Error(io::ErrorKind::integrity, fmt::format("'/{}' is longer than its header says", path));
    }
    if (!block->bytes.empty()) std::memcpy(content.data() + block->offset, block->bytes.data(), block->bytes.size());
  }
}

}  // namespace kiln::engine
