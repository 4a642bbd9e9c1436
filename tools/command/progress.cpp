#include "tools/command/progress.hpp"

#include <algorithm>
#include <cstdio>
#include <map>

#include <fmt/format.h>
#include <spdlog/spdlog.h>

namespace kiln::tools {

namespace {

using Clock = std::chrono::steady_clock;

double seconds(std::chrono::nanoseconds duration) { return std::chrono::duration<double>(duration).count(); }

std::string label_of(const engine::Progress::StepInfo& step) {
  return step.stage.empty() ? fmt::format("[{}/{}]", step.index, step.count)
                            : fmt::format("[{} {}/{}]", step.stage, step.index, step.count);
}

std::string shortened(const std::string& text) {
  constexpr std::size_t longest = 100;
  return text.size() <= longest ? text : text.substr(0, longest) + "...";
}

// One line a step, when it has ended. A RUN has one when it begins, too: its output follows.
class PlainProgress final : public engine::Progress {
 public:
  void step_started(const StepInfo& step) override {
    Step& known = steps_[step.id];
    known = {label_of(step), step.text};
    if (step.text.starts_with("RUN")) spdlog::info("{} {}", known.label, known.text);
  }
  void step_output(int step, int, std::string_view line) override { spdlog::info("{} | {}", steps_[step].label, line); }
  void step_finished(int step, std::chrono::nanoseconds took, std::string_view note) override {
    spdlog::info("{} {}: {:.2f} s, {}", steps_[step].label, shortened(steps_[step].text), seconds(took), note);
    steps_.erase(step);
  }
  void step_failed(int step, std::string_view) override { steps_.erase(step); }
  void transfer_started(int id, std::string_view what, std::uint64_t) override {
    transfers_[id] = {std::string(what), 0, Clock::now()};
  }
  void transfer_advanced(int id, std::uint64_t bytes) override { transfers_[id].bytes += bytes; }
  void transfer_finished(int id, std::string_view) override {
    const Transfer& transfer = transfers_[id];
    spdlog::info("{}: {}", transfer.what, human_speed(transfer.bytes, Clock::now() - transfer.started));
    transfers_.erase(id);
  }
  void plan(std::string_view text) override {
    fmt::print("{}", text);
    std::fflush(stdout);
  }
  void message(std::string_view text) override { spdlog::info("{}", text); }

 private:
  struct Step {
    std::string label;
    std::string text;
  };
  struct Transfer {
    std::string what;
    std::uint64_t bytes = 0;
    Clock::time_point started;
  };
  std::map<int, Step> steps_;
  std::map<int, Transfer> transfers_;
};

}  // namespace

std::string human_bytes(std::uint64_t bytes) {
  if (bytes < 1000) return fmt::format("{} B", bytes);
  if (bytes < 1'000'000) return fmt::format("{:.1f} kB", static_cast<double>(bytes) / 1e3);
  if (bytes < 1'000'000'000) return fmt::format("{:.1f} MB", static_cast<double>(bytes) / 1e6);
  return fmt::format("{:.2f} GB", static_cast<double>(bytes) / 1e9);
}

std::string human_speed(std::uint64_t bytes, std::chrono::nanoseconds took) {
  const double time = std::max(seconds(took), 1e-3);
  const auto speed = static_cast<std::uint64_t>(static_cast<double>(bytes) / time);
  return fmt::format("{} in {:.2f} s, {}/s", human_bytes(bytes), seconds(took), human_bytes(speed));
}

std::unique_ptr<engine::Progress> make_plain_progress() { return std::make_unique<PlainProgress>(); }

void log_summary(const engine::BuildResult& result) {
  const auto phase_of = [&](std::string_view name) {
    const auto found = std::ranges::find(result.phases, name, &engine::Phase::name);
    return found == result.phases.end() ? engine::Phase() : *found;
  };
  for (const auto& name : result.pushed) spdlog::info("pushed {}", name);
  spdlog::info("digest {}", result.manifest_digest.text());
  std::uint64_t size = 0;
  for (const auto& layer : result.layers) size += layer.size;
  spdlog::info("image: {} layers, {} of them new, {} compressed", result.layers.size(), result.layers_new, human_bytes(size));
  if (result.bytes_pulled > 0) spdlog::info("pull: {}", human_speed(result.bytes_pulled, phase_of("pull").took));
  if (!result.pushed.empty()) {
    spdlog::info("push: {}; {} blobs sent, {} mounted, {} there already", human_speed(result.bytes_pushed, phase_of("push").took),
                 result.blobs_pushed, result.blobs_mounted, result.blobs_present);
  }
  std::string phases;
  for (const auto& phase : result.phases) {
    if (phase.took < std::chrono::milliseconds(5) && phase.bytes == 0) continue;
    phases += fmt::format("{}{} {:.2f} s", phases.empty() ? "" : ", ", phase.name, seconds(phase.took));
    if (phase.bytes > 0) phases += fmt::format(" ({})", human_bytes(phase.bytes));
  }
  spdlog::info("time: {:.2f} s; side by side: {}", seconds(result.took), phases);
  spdlog::info("peak memory: {}", human_bytes(result.peak_memory));
}

}  // namespace kiln::tools
