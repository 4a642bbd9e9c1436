// What a build shows: plain lines for logs, or a live view on a terminal.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>

#include "engine/build/request.hpp"

namespace kiln::tools {

std::unique_ptr<engine::Progress> make_plain_progress();

// Redraws its lines in place on standard error, at most ten times a second.
std::unique_ptr<engine::Progress> make_live_progress();

// What a step's line ends with: "cached", or what it changed.
std::string describe(const engine::Progress::StepOutcome& outcome);

// Digest, layers, bytes, seconds by phase and peak memory, as log lines.
void log_summary(const engine::BuildResult& result);
// The same of a build that failed, as far as it goes.
void log_failure(std::chrono::nanoseconds took);

std::string human_bytes(std::uint64_t bytes);
// "12.3 MB in 0.50 s, 24.6 MB/s"
std::string human_speed(std::uint64_t bytes, std::chrono::nanoseconds took);

}  // namespace kiln::tools
