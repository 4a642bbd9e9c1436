// Content: where a file's bytes are. A Tree's nodes point here and never hold bytes themselves.
#pragma once

#include <memory>
#include <string>
#include <utility>

#include "io/base/fd.hpp"
#include "oci/blob/spool.hpp"

namespace kiln::engine {

// Files below a directory that stays open: the context, a Rootfs, one directory of an overlay, a scratch directory.
// When a Rootfs is moved, its owner points `directory` to the new place, so contents stay valid.
struct ContentDirectory {
  io::UniqueFd directory;
  std::string description;  // for messages: "build context", "root file system of stage 'app'"
};

// Entries of a layer blob. Reading one means inflating the blob from its start, so users gather what they want of a blob
// and read it in one pass (materialize_layer_contents).
struct ContentLayer {
  oci::SpoolBlobPtr blob;
};

struct ContentInline {
  std::string bytes;
};

// A node's content: one of the three, and the path within it (empty for inline).
struct Content {
  std::shared_ptr<const ContentDirectory> directory;
  std::shared_ptr<const ContentLayer> layer;
  std::shared_ptr<const ContentInline> inline_bytes;
  std::string path;

  bool known() const { return directory || layer || inline_bytes; }
};

}  // namespace kiln::engine
