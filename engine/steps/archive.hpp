// ADD of a local archive: its entries as nodes, its contents as scratch files.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "engine/tree/tree.hpp"
#include "io/loop/runtime.hpp"

namespace kiln::engine {

struct ArchiveEntry {
  std::string path;
  Node node;              // regular files have their content in the scratch directory
  std::string hard_link;  // a hard link: the path that it is another name of; `node` is nothing then
};

// The entries of the tar (plain or compressed by gzip, bzip2, xz or zstd) that `content` is; nothing when it is no tar: then
// ADD copies the file as it is. Errors: io::Error(integrity) naming `name` for an archive that is damaged.
io::Task<std::optional<std::vector<ArchiveEntry>>> read_archive(io::Runtime& runtime, Content content, std::string name,
                                                                std::shared_ptr<const ContentDirectory> scratch);

}  // namespace kiln::engine
