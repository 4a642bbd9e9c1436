#include "tools/command/trace.hpp"

#include <algorithm>
#include <array>
#include <fstream>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "io/base/error.hpp"
#include "tools/command/progress.hpp"

namespace kiln::tools {

namespace {

// Tracks from top to bottom; kinds that are not named here follow.
constexpr std::array<std::string_view, 8> order = {"step", "resolve", "pull", "unpack", "run", "snapshot", "capture", "push"};

// Every kind's tracks are next to each other.
constexpr int tracks_of_a_kind = 1000;

nlohmann::ordered_json metadata(const char* what, int track, nlohmann::ordered_json arguments) {
  return {{"name", what}, {"ph", "M"}, {"pid", 1}, {"tid", track}, {"args", std::move(arguments)}};
}

}  // namespace

void TraceRecorder::step_started(const StepInfo& step) {
  steps_[step.id] = {"step", step.text, step.stage, std::chrono::steady_clock::now(), {}};
  inner_->step_started(step);
}

void TraceRecorder::step_finished(int step, const StepOutcome& outcome) {
  end_step(step, describe(outcome));
  inner_->step_finished(step, outcome);
}

void TraceRecorder::step_failed(int step, std::string_view error) {
  end_step(step, "failed");
  inner_->step_failed(step, error);
}

void TraceRecorder::end_step(int step, std::string_view note) {
  const auto found = steps_.find(step);
  if (found == steps_.end()) return;
  Span span = std::move(found->second);
  steps_.erase(found);
  span.note += fmt::format("{}{}", span.note.empty() ? "" : ": ", note);
  span.end = std::chrono::steady_clock::now();
  spans_.push_back(std::move(span));
}

void TraceRecorder::span(std::string_view kind, std::string_view detail, Time begin, Time end) {
  spans_.push_back({std::string(kind), std::string(detail.empty() ? kind : detail), "", begin, end});
  inner_->span(kind, detail, begin, end);
}

std::string TraceRecorder::json() const {
  std::vector<const Span*> spans;
  for (const auto& span : spans_) spans.push_back(&span);
  std::ranges::sort(spans, {}, [](const Span* span) { return span->begin; });
  const auto microseconds = [this](Time time) { return std::chrono::duration<double, std::micro>(time - start_).count(); };
  auto events = nlohmann::ordered_json::array();
  events.push_back(metadata("process_name", 0, {{"name", "kiln"}}));
  std::map<std::string, std::vector<Time>> tracks;  // kind -> when each of its tracks becomes free
  std::map<std::string, int> first_track;
  for (const Span* span : spans) {
    auto& free = tracks[span->kind];
    const auto known = std::ranges::find(order, span->kind);
    const int place =
        known == order.end() ? static_cast<int>(order.size() + first_track.size()) : static_cast<int>(known - order.begin());
    const int base = first_track.try_emplace(span->kind, (place + 1) * tracks_of_a_kind).first->second;
    auto track = std::ranges::find_if(free, [&](Time time) { return time <= span->begin; });
    const int id = base + static_cast<int>(track - free.begin());
    if (track == free.end()) {
      events.push_back(metadata("thread_name", id, {{"name", span->kind}}));
      events.push_back(metadata("thread_sort_index", id, {{"sort_index", id}}));
      free.push_back(span->end);
    } else {
      *track = span->end;
    }
    nlohmann::ordered_json event = {{"name", span->name},
                                    {"cat", span->kind},
                                    {"ph", "X"},
                                    {"ts", microseconds(span->begin)},
                                    {"dur", microseconds(span->end) - microseconds(span->begin)},
                                    {"pid", 1},
                                    {"tid", id}};
    if (!span->note.empty()) event["args"] = {{"note", span->note}};
    events.push_back(std::move(event));
  }
  const auto start = std::chrono::duration<double, std::micro>(start_.time_since_epoch()).count();
  const nlohmann::ordered_json document = {{"traceEvents", std::move(events)},
                                           {"displayTimeUnit", "ms"},
                                           {"otherData", {{"clock", "CLOCK_MONOTONIC"}, {"start_us", start}}}};
  return document.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
}

void write_trace(const TraceRecorder& trace, const std::string& path) {
  std::ofstream file(path, std::ios::trunc | std::ios::binary);
  file << trace.json();
  file.flush();
  if (!file) throw io::Error(io::ErrorKind::filesystem, fmt::format("--trace-file={}: it cannot be written", path));
}

}  // namespace kiln::tools
