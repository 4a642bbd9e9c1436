// Layers applied in order, the next ones read ahead.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <vector>

#include "engine/rootfs/layer_reader.hpp"
#include "engine/tree/tree.hpp"
#include "io/loop/runtime.hpp"
#include "oci/blob/spool.hpp"

namespace kiln::engine {

// Where layers go: a Tree, and a disk if there are sinks.
struct LayerTarget {
  Tree& tree;
  // Gives a sink for the entries of one layer, which the reader stands at; may be empty.
  std::function<std::unique_ptr<LayerSink>(LayerReader& reader)> make_sink;
  // Gives the place for the files of a layer that is read ahead of its turn. Empty: with sinks nothing is read ahead.
  std::function<std::unique_ptr<StagedFiles>(std::size_t layer)> stage;
};

// For a pool thread that may wait: applies the layers, lowest first. Some layers above the current one, as many as there are
// cores, are read ahead. Errors name the layer; `stop` ends it with Error(cancelled).
void apply_layers(const std::vector<LayerInput>& layers, const LayerTarget& target, std::atomic<bool>& stop);

// Runs `work` on the waiting pool; when the caller is cancelled meanwhile, the flag is set and the end awaited.
using StoppableWork = std::function<void(std::atomic<bool>& stop)>;
io::Task<void> run_stoppable(io::Runtime& runtime, StoppableWork work);

}  // namespace kiln::engine
