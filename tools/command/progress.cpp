#include "tools/command/progress.hpp"

#include <algorithm>
#include <cstdio>
#include <map>

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "io/process/peak_memory.hpp"
#include "tools/command/logging.hpp"

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

std::string_view name_of(engine::Progress::StepEnd end) {
  switch (end) {
    case engine::Progress::StepEnd::done: return "done";
    case engine::Progress::StepEnd::cached: return "cached";
    default: return "not needed";
  }
}

// One line a step, when it has ended. A RUN that runs has one when it begins, too: its output follows.
class PlainProgress final : public engine::Progress {
 public:
  void step_started(const StepInfo& step) override {
    const Step& known = steps_[step.id] = {label_of(step), step.text, fields_of(step)};
    if (!step.reused && step.text.starts_with("RUN"))
      log_event("step_started", known.fields, fmt::format("{} {}", known.label, known.text));
  }
  void step_output(int step, int stream, std::string_view line) override {
    const Step& known = steps_[step];
    LogFields fields = known.fields;
    fields["stream"] = stream == 2 ? "stderr" : "stdout";
    fields["line"] = line;
    log_event("output", std::move(fields), fmt::format("{} | {}", known.label, line));
  }
  void step_finished(int step, const StepOutcome& outcome) override {
    Step& known = steps_[step];
    known.fields["end"] = name_of(outcome.end);
    known.fields["seconds"] = seconds(outcome.took);
    known.fields["changes"] = outcome.changes;
    known.fields["bytes"] = outcome.bytes;
    log_event("step", std::move(known.fields),
              fmt::format("{} {}: {:.2f} s, {}", known.label, shortened(known.text), seconds(outcome.took), describe(outcome)));
    steps_.erase(step);
  }
  void step_failed(int step, std::string_view) override { steps_.erase(step); }
  void transfer_started(int id, std::string_view what, std::uint64_t) override {
    transfers_[id] = {std::string(what), 0, Clock::now()};
  }
  void transfer_advanced(int id, std::uint64_t bytes) override { transfers_[id].bytes += bytes; }
  void transfer_finished(int id, std::string_view note) override {
    const Transfer& transfer = transfers_[id];
    const auto took = Clock::now() - transfer.started;
    const std::string what = note.empty() ? transfer.what : fmt::format("{}, {}", transfer.what, note);
    log_event("transfer", {{"what", what}, {"bytes", transfer.bytes}, {"seconds", seconds(took)}},
              fmt::format("{}: {}", what, human_speed(transfer.bytes, took)));
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
    LogFields fields;
  };
  static LogFields fields_of(const StepInfo& step) {
    return {{"stage", step.stage}, {"step", step.index}, {"steps", step.count}, {"instruction", step.text}};
  }
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

std::string describe(const engine::Progress::StepOutcome& outcome) {
  if (outcome.end != engine::Progress::StepEnd::done) return std::string(name_of(outcome.end));
  std::string text = fmt::format("{} {}", outcome.changes, outcome.changes == 1 ? "change" : "changes");
  if (outcome.bytes > 0) text += ", " + human_bytes(outcome.bytes);
  if (!outcome.detail.empty()) text += ", " + outcome.detail;
  return text;
}

std::unique_ptr<engine::Progress> make_plain_progress() { return std::make_unique<PlainProgress>(); }

namespace {

engine::Phase phase_of(const engine::BuildResult& result, std::string_view name) {
  const auto found = std::ranges::find(result.phases, name, &engine::Phase::name);
  return found == result.phases.end() ? engine::Phase() : *found;
}

void log_transfers(const engine::BuildResult& result) {
  const engine::Phase pull = phase_of(result, "pull"), push = phase_of(result, "push");
  if (result.bytes_pulled > 0) {
    log_event("pull", {{"bytes", result.bytes_pulled}, {"seconds", seconds(pull.took)}},
              fmt::format("pull: {}", human_speed(result.bytes_pulled, pull.took)));
  }
  if (result.pushed.empty()) return;
  const std::string sent = result.bytes_pushed > 0 ? human_speed(result.bytes_pushed, push.took) : "no layers";
  log_event("push",
            {{"bytes", result.bytes_pushed},
             {"seconds", seconds(push.took)},
             {"sent", result.blobs_pushed},
             {"mounted", result.blobs_mounted},
             {"present", result.blobs_present}},
            fmt::format("push: {}; {} blobs sent, {} mounted, {} there already", sent, result.blobs_pushed, result.blobs_mounted,
                        result.blobs_present));
}

void log_time(const engine::BuildResult& result) {
  std::string text;
  LogFields times = LogFields::object();
  for (const auto& phase : result.phases) {
    times[phase.name] = seconds(phase.took);
    if (phase.took < std::chrono::milliseconds(5) && phase.bytes == 0) continue;
    text += fmt::format("{}{} {:.2f} s", text.empty() ? "; side by side: " : ", ", phase.name, seconds(phase.took));
    if (phase.bytes > 0) text += fmt::format(" ({})", human_bytes(phase.bytes));
  }
  log_event("time", {{"seconds", seconds(result.took)}, {"phases", std::move(times)}},
            fmt::format("time: {:.2f} s{}", seconds(result.took), text));
  log_event("memory", {{"peak_bytes", result.peak_memory}}, fmt::format("peak memory: {}", human_bytes(result.peak_memory)));
}

}  // namespace

void log_summary(const engine::BuildResult& result) {
  const std::string digest = result.manifest_digest.text();
  for (const auto& name : result.pushed) log_event("pushed", {{"image", name}, {"digest", digest}}, "pushed " + name);
  log_event("digest", {{"digest", digest}}, "digest " + digest);
  std::uint64_t size = 0;
  for (const auto& layer : result.layers) size += layer.size;
  log_event(
      "image", {{"layers", result.layers.size()}, {"new", result.layers_new}, {"bytes", size}},
      fmt::format("image: {} layers, {} of them new, {} compressed", result.layers.size(), result.layers_new, human_bytes(size)));
  log_transfers(result);
  log_time(result);
}

void log_failure(std::chrono::nanoseconds took) {
  const std::uint64_t peak = io::peak_memory();
  log_event("failed", {{"seconds", seconds(took)}, {"peak_bytes", peak}},
            fmt::format("failed after {:.2f} s; peak memory: {}", seconds(took), human_bytes(peak)));
}

}  // namespace kiln::tools
