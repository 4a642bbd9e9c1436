// Where the bytes of a layer come from that is to be unpacked.
#pragma once

#include <atomic>
#include <memory>

#include "engine/tree/tree.hpp"
#include "io/codec/decompress.hpp"
#include "oci/blob/passage.hpp"
#include "oci/blob/spool.hpp"

namespace kiln::engine {

struct LayerInput {
  oci::SpoolBlobPtr blob;
  oci::PassagePtr passage;  // null: from the blob. Else from here, unless somebody has wanted the blob's bytes by then
  // Where files have the mtimes that they had when the layer was made; null: the layer's own.
  std::shared_ptr<const Tree> times = nullptr;

  bool passes() const { return passage && !blob->wanted(); }
  // The bytes as they are in the blob; from a passage once. This and `stop` must outlive the result.
  std::shared_ptr<io::ByteSource> open(const std::atomic<bool>* stop) const {
    return passes() ? passage->open(stop) : blob->follow(stop);
  }
};

}  // namespace kiln::engine
