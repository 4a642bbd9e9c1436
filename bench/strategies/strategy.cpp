#include "bench/strategies/strategy.hpp"

#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "engine/sandbox/sandbox.hpp"
#include "engine/snapshot/detectors.hpp"
#include "io/base/error.hpp"

namespace kiln::bench {

namespace {

using engine::RootfsShape;
using engine::SnapshotMode;

constexpr auto strategies = std::to_array<Strategy>({
    {"full", SnapshotMode::full, RootfsShape::plain, true, "hash of every file, before and after (XXH3), read on threads",
     io::ReaderChoice::threads},
    {"full-io_uring", SnapshotMode::full, RootfsShape::plain, true, "the same, read through io_uring", io::ReaderChoice::ring},
    {"redo", SnapshotMode::redo, RootfsShape::plain, false, "mtime, size, mode and owner of every entry"},
    {"time", SnapshotMode::time, RootfsShape::plain, false, "mtime, mode and owner of every entry"},
    {"inode-ctime", SnapshotMode::inode_ctime, RootfsShape::plain, true, "inode, ctime, size, mode and owner of every entry"},
    {"watch", SnapshotMode::watch, RootfsShape::plain, true, "the same, in directories in which inotify saw something happen"},
    {"overlay", SnapshotMode::overlay, RootfsShape::overlay, true, "walk of an overlay's upper directory"},
});

}  // namespace

std::span<const Strategy> all_strategies() { return strategies; }

const Strategy& find_strategy(std::string_view name) {
  const auto found = std::ranges::find(strategies, name, &Strategy::name);
  if (found != strategies.end()) return *found;
  std::string names;
  for (const auto& strategy : strategies) names += fmt::format("{}{}", names.empty() ? "" : ", ", strategy.name);
  throw io::Error(io::ErrorKind::usage, fmt::format("there is no strategy '{}': {}", name, names));
}

io::Task<Availability> probe_availability(io::Runtime& runtime, std::string work_directory) {
  engine::SandboxRequest request;
  request.wanted = engine::SandboxKind::userns;
  request.work_directory = std::move(work_directory);
  Availability availability;
  try {
    const engine::SandboxChoice choice = co_await engine::probe_sandbox(runtime, request);
    availability.overlay = choice.overlay;
    availability.all_ids = choice.all_ids;
    if (!choice.overlay) availability.no_overlay = choice.reason;
  } catch (const io::Error& error) {
    if (error.kind() != io::ErrorKind::unsupported) throw;
    availability.no_overlay = error.message();
  }
  io::make_ring_reader(runtime, &availability.no_ring);
  co_return availability;
}

std::unique_ptr<engine::Detector> make_detector(const Strategy& strategy, io::Runtime& runtime, const engine::Rootfs& root) {
  if (strategy.mode == SnapshotMode::full) return engine::make_content_detector(runtime, strategy.reader);
  return engine::make_detector(strategy.mode, runtime, root);
}

std::string why_unavailable(const Strategy& strategy, const Availability& availability) {
  if (strategy.shape == RootfsShape::overlay && !availability.overlay) return availability.no_overlay;
  return strategy.reader == io::ReaderChoice::ring ? availability.no_ring : "";
}

}  // namespace kiln::bench
