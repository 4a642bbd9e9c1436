// The live view: finished steps scroll up as lines, what is going on stays at the bottom.
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <map>
#include <string>

#include <fmt/format.h>

#include "tools/command/progress.hpp"

namespace kiln::tools {

namespace {

using Clock = std::chrono::steady_clock;
constexpr auto redraw_every = std::chrono::milliseconds(100);

double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

std::size_t terminal_width() {
  winsize size{};
  if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 20) return size.ws_col;
  return 80;
}

// Control characters of a command's output must not move the cursor.
std::string printable(std::string_view text) {
  std::string result(text);
  std::replace_if(result.begin(), result.end(), [](unsigned char c) { return c < 0x20 || c == 0x7f; }, ' ');
  return result;
}

class LiveProgress final : public engine::Progress {
 public:
  ~LiveProgress() override { erase(); }

  void step_started(const StepInfo& step) override {
    const std::string label = step.stage.empty() ? fmt::format("[{}/{}]", step.index, step.count)
                                                 : fmt::format("[{} {}/{}]", step.stage, step.index, step.count);
    steps_[step.id] = {fmt::format("{} {}", label, printable(step.text)), "", Clock::now()};
    redraw(true);
  }
  void step_output(int step, int, std::string_view line) override {
    steps_[step].last_line = printable(line);
    redraw(false);
  }
  void step_finished(int step, const StepOutcome& outcome) override {
    say(fmt::format("{}  {:.1f}s, {}", steps_[step].text, std::chrono::duration<double>(outcome.took).count(), describe(outcome)));
    steps_.erase(step);
  }
  void step_failed(int step, std::string_view) override {
    say(fmt::format("{}  FAILED after {:.1f}s", steps_[step].text, seconds_since(steps_[step].started)));
    if (!steps_[step].last_line.empty()) say("  " + steps_[step].last_line);
    steps_.erase(step);
  }
  void transfer_started(int id, std::string_view what, std::uint64_t total) override {
    transfers_[id] = {std::string(what), total, 0, Clock::now()};
    redraw(false);
  }
  void transfer_advanced(int id, std::uint64_t bytes) override {
    transfers_[id].bytes += bytes;
    redraw(false);
  }
  void transfer_finished(int id, std::string_view) override {
    transfers_.erase(id);
    redraw(false);
  }
  void plan(std::string_view text) override {
    erase();
    fmt::print("{}", text);
    std::fflush(stdout);
  }
  void message(std::string_view text) override { say(printable(text)); }

 private:
  struct Step {
    std::string text;
    std::string last_line;
    Clock::time_point started;
  };
  struct Transfer {
    std::string what;
    std::uint64_t total = 0;
    std::uint64_t bytes = 0;
    Clock::time_point started;
  };

  void erase() {
    if (lines_ > 0) fmt::print(stderr, "\x1b[{}A\x1b[J", lines_);
    lines_ = 0;
  }

  void say(const std::string& line) {
    erase();
    fmt::print(stderr, "{}\n", line);
    redraw(true);
  }

  void line(const std::string& text) {
    fmt::print(stderr, "{}\n", text.substr(0, terminal_width() - 1));
    ++lines_;
  }

  void redraw(bool now) {
    if (!now && Clock::now() - drawn_ < redraw_every) return;
    drawn_ = Clock::now();
    erase();
    for (const auto& [id, step] : steps_) {
      line(fmt::format("=> {}  {:.1f}s", step.text, seconds_since(step.started)));
      if (!step.last_line.empty()) line("   " + step.last_line);
    }
    for (const auto& [id, transfer] : transfers_) {
      const double took = std::max(seconds_since(transfer.started), 0.001);
      const std::string total = transfer.total > 0 ? " / " + human_bytes(transfer.total) : "";
      const auto speed = static_cast<std::uint64_t>(static_cast<double>(transfer.bytes) / took);
      line(fmt::format("   {}  {}{}  {}/s", transfer.what, human_bytes(transfer.bytes), total, human_bytes(speed)));
    }
    std::fflush(stderr);
  }

  std::map<int, Step> steps_;
  std::map<int, Transfer> transfers_;
  int lines_ = 0;
  Clock::time_point drawn_;
};

}  // namespace

std::unique_ptr<engine::Progress> make_live_progress() { return std::make_unique<LiveProgress>(); }

}  // namespace kiln::tools
