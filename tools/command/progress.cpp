#include "tools/command/progress.hpp"

#include <map>

#include <fmt/format.h>
#include <spdlog/spdlog.h>

namespace kiln::tools {

namespace {

double seconds(std::chrono::nanoseconds duration) { return std::chrono::duration<double>(duration).count(); }

std::string label_of(const engine::Progress::StepInfo& step) {
  return step.stage.empty() ? fmt::format("[{}/{}]", step.index, step.count)
                            : fmt::format("[{} {}/{}]", step.stage, step.index, step.count);
}

class PlainProgress final : public engine::Progress {
 public:
  void step_started(const StepInfo& step) override {
    labels_[step.id] = label_of(step);
    spdlog::info("{} {}", labels_[step.id], step.text);
  }
  void step_output(int step, int, std::string_view line) override { spdlog::info("{} {}", labels_[step], line); }
  void step_finished(int step, std::chrono::nanoseconds took, std::string_view note) override {
    spdlog::info("{} done in {:.2f} s, {}", labels_[step], seconds(took), note);
  }
  void transfer_started(int id, std::string_view what, std::uint64_t) override {
    transfers_[id] = {std::string(what), 0, std::chrono::steady_clock::now()};
  }
  void transfer_advanced(int id, std::uint64_t bytes) override { transfers_[id].bytes += bytes; }
  void transfer_finished(int id, std::string_view) override {
    const Transfer& transfer = transfers_[id];
    const double took = seconds(std::chrono::steady_clock::now() - transfer.started);
    spdlog::info("{}: {} in {:.2f} s", transfer.what, human_bytes(transfer.bytes), took);
  }
  void message(std::string_view text) override { spdlog::info("{}", text); }

 private:
  struct Transfer {
    std::string what;
    std::uint64_t bytes = 0;
    std::chrono::steady_clock::time_point started;
  };
  std::map<int, std::string> labels_;
  std::map<int, Transfer> transfers_;
};

}  // namespace

std::string human_bytes(std::uint64_t bytes) {
  if (bytes < 1000) return fmt::format("{} B", bytes);
  if (bytes < 1'000'000) return fmt::format("{:.1f} kB", static_cast<double>(bytes) / 1e3);
  if (bytes < 1'000'000'000) return fmt::format("{:.1f} MB", static_cast<double>(bytes) / 1e6);
  return fmt::format("{:.2f} GB", static_cast<double>(bytes) / 1e9);
}

std::unique_ptr<engine::Progress> make_plain_progress() { return std::make_unique<PlainProgress>(); }

void log_summary(const engine::BuildResult& result) {
  for (const auto& name : result.pushed) spdlog::info("pushed {}", name);
  spdlog::info("digest {}", result.manifest_digest.text());
  std::uint64_t size = 0;
  for (const auto& layer : result.layers) size += layer.size;
  spdlog::info("{} layers ({} new), {}; pulled {}, pushed {} in {} blobs, {} mounted, {} already there", result.layers.size(),
               result.layers_new, human_bytes(size), human_bytes(result.bytes_pulled), human_bytes(result.bytes_pushed),
               result.blobs_pushed, result.blobs_mounted, result.blobs_present);
  std::string phases;
  for (const auto& phase : result.phases)
    phases += fmt::format("{}{} {:.2f} s", phases.empty() ? "" : ", ", phase.name, seconds(phase.took));
  spdlog::info("{:.2f} s in all ({}); peak memory {}", seconds(result.took), phases, human_bytes(result.peak_memory));
}

}  // namespace kiln::tools
