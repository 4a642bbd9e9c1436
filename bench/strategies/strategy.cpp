#include "bench/strategies/strategy.hpp"

#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "engine/sandbox/sandbox.hpp"
#include "io/base/error.hpp"

namespace kiln::bench {

namespace {

using engine::RootfsShape;
using engine::SnapshotMode;

constexpr auto strategies = std::to_array<Strategy>({
    {"full", SnapshotMode::full, RootfsShape::plain, true, "hash of every file, before and after (XXH3)"},
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
  co_return availability;
}

std::string why_unavailable(const Strategy& strategy, const Availability& availability) {
  return strategy.shape == RootfsShape::overlay && !availability.overlay ? availability.no_overlay : "";
}

}  // namespace kiln::bench
