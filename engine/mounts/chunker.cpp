#include "engine/mounts/chunker.hpp"

#include <algorithm>
#include <array>
#include <bit>

namespace kiln::engine {

namespace {

// A random number for each byte, the same everywhere: splitmix64 from zero.
constexpr std::array<std::uint64_t, 256> gear = [] {
  std::array<std::uint64_t, 256> table{};
  std::uint64_t state = 0;
  for (auto& entry : table) {
    state += 0x9e3779b97f4a7c15U;
    std::uint64_t value = state;
    value = (value ^ (value >> 30U)) * 0xbf58476d1ce4e5b9U;
    value = (value ^ (value >> 27U)) * 0x94d049bb133111ebU;
    entry = value ^ (value >> 31U);
  }
  return table;
}();

}  // namespace

// The mask has as many bits as a chunk has on average after its least size; the high ones, which the last 64 bytes decide.
Chunker::Chunker(std::size_t average)
    : average_(average), mask_(~std::uint64_t{0} << (64U - static_cast<unsigned>(std::bit_width(average) - 1))) {}

std::size_t Chunker::average_for(std::uint64_t total) {
  constexpr std::size_t least = 1U << 20U;
  constexpr std::size_t most = 8U << 20U;
  std::size_t average = least;
  while (average < most && total / average > 1000) average *= 2;
  return average;
}

std::size_t Chunker::cut(io::Bytes bytes) const {
  const std::size_t least = average_ / 4;
  const std::size_t end = std::min(bytes.size(), largest());
  if (end <= least) return end;
  std::uint64_t hash = 0;
  for (std::size_t i = least - std::min<std::size_t>(least, 64); i < end; ++i) {
    hash = (hash << 1U) + gear[std::to_integer<std::size_t>(bytes[i])];
    if (i >= least && (hash & mask_) == 0) return i + 1;
  }
  return end;
}

}  // namespace kiln::engine
