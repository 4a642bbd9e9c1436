// The strategies that are compared: the engine's detectors, each on a root file system of the shape that it works on.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "engine/rootfs/rootfs.hpp"
#include "engine/snapshot/detector.hpp"
#include "io/file/read_plan.hpp"
#include "io/loop/runtime.hpp"

namespace kiln::bench {

struct Strategy {
  std::string_view name;
  engine::SnapshotMode mode = engine::SnapshotMode::automatic;
  engine::RootfsShape shape = engine::RootfsShape::plain;
  bool exact = true;  // promises to find every change, forged times included
  std::string_view method;
  io::ReaderChoice reader = io::ReaderChoice::automatic;  // of contents, where the strategy reads them
};

std::span<const Strategy> all_strategies();

// Errors: io::Error(usage) listing the names.
const Strategy& find_strategy(std::string_view name);

// What this machine and this place let us do.
struct Availability {
  bool overlay = false;
  bool all_ids = false;    // for namespaces: see engine::SandboxChoice
  std::string no_overlay;  // why not
  std::string no_ring;     // why there is no io_uring; empty: there is
};
io::Task<Availability> probe_availability(io::Runtime& runtime, std::string work_directory);

std::unique_ptr<engine::Detector> make_detector(const Strategy& strategy, io::Runtime& runtime, const engine::Rootfs& root);

// Empty when `strategy` works here, else why it does not.
std::string why_unavailable(const Strategy& strategy, const Availability& availability);

}  // namespace kiln::bench
