// Layers as streams of entries: following the spool, inflating ahead, applied in order.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <vector>

#include "engine/tree/tree.hpp"
#include "io/codec/decompress.hpp"
#include "io/loop/runtime.hpp"
#include "oci/blob/spool.hpp"
#include "oci/tar/reader.hpp"

namespace kiln::engine {

// The decompressed bytes of a layer that may still be growing, inflated on a thread of its own a few buffers ahead.
std::unique_ptr<io::ByteSource> open_layer(const oci::SpoolBlobPtr& blob, const std::atomic<bool>* stop);

// Gives a sink for a layer's entries; the reader stands at the entry whose content a sink may read. May be null.
using MakeSink = std::function<std::unique_ptr<LayerSink>(oci::TarReader& reader)>;

// For a pool thread that may wait: applies the layers, lowest first, to `tree`. Layers above the current one are inflated
// ahead as far as their buffers go. Errors name the layer; `stop` ends it with Error(cancelled).
void apply_layers(const std::vector<oci::SpoolBlobPtr>& layers, Tree& tree, const MakeSink& make_sink, std::atomic<bool>& stop);

// Runs `work` on the waiting pool; when the caller is cancelled meanwhile, the flag is set and the end awaited.
using StoppableWork = std::function<void(std::atomic<bool>& stop)>;
io::Task<void> run_stoppable(io::Runtime& runtime, StoppableWork work);

}  // namespace kiln::engine
