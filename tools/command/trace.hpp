// --trace-file: where the time of a build went, for chrome://tracing and ui.perfetto.dev.
#pragma once

#include <chrono>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "engine/build/request.hpp"

namespace kiln::tools {

// Passes everything on to `inner` and keeps the spans: steps, and the activities of every phase. A kind of work has as many
// tracks as it had pieces going on at once, because spans of one track must not overlap (Trace Event Format, complete events).
class TraceRecorder final : public engine::Progress {
 public:
  explicit TraceRecorder(std::unique_ptr<engine::Progress> inner) : inner_(std::move(inner)) {}

  void step_started(const StepInfo& step) override;
  void step_output(int step, int stream, std::string_view line) override { inner_->step_output(step, stream, line); }
  void step_finished(int step, const StepOutcome& outcome) override;
  void step_failed(int step, std::string_view error) override;
  void transfer_started(int id, std::string_view what, std::uint64_t total) override { inner_->transfer_started(id, what, total); }
  void transfer_advanced(int id, std::uint64_t bytes) override { inner_->transfer_advanced(id, bytes); }
  void transfer_finished(int id, std::string_view note) override { inner_->transfer_finished(id, note); }
  void plan(std::string_view text) override { inner_->plan(text); }
  void message(std::string_view text) override { inner_->message(text); }
  void span(std::string_view kind, std::string_view detail, Time begin, Time end) override;

  // The trace as JSON. Times are microseconds since the recorder was made, which otherData has on the monotonic clock, so that
  // other records of the same time can be laid beside.
  std::string json() const;

 private:
  struct Span {
    std::string kind;
    std::string name;
    std::string note;
    Time begin;
    Time end;
  };
  void end_step(int step, std::string_view note);

  std::unique_ptr<engine::Progress> inner_;
  Time start_ = std::chrono::steady_clock::now();
  std::vector<Span> spans_;
  std::map<int, Span> steps_;
};

// Errors: io::Error(filesystem) naming the file.
void write_trace(const TraceRecorder& trace, const std::string& path);

}  // namespace kiln::tools
