// Where the time went: for each phase the time during which at least one activity of its kind was going on.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "engine/build/request.hpp"

namespace kiln::engine {

class PhaseClock {
 public:
  // Going on while it lives. Loop thread.
  class Activity {
   public:
    // detail: what it is about, for the trace.
    Activity(PhaseClock& clock, const char* name, std::string detail = {})
        : clock_(clock), name_(name), detail_(std::move(detail)), begin_(std::chrono::steady_clock::now()) {
      clock_.begin(name_);
    }
    ~Activity() {
      clock_.end(name_);
      clock_.progress_.span(name_, detail_, begin_, std::chrono::steady_clock::now());
    }
    Activity(const Activity&) = delete;
    Activity& operator=(const Activity&) = delete;

   private:
    PhaseClock& clock_;
    const char* name_;
    std::string detail_;
    std::chrono::steady_clock::time_point begin_;
  };

  // Every activity is told to `progress` when it ends.
  explicit PhaseClock(Progress& progress) : progress_(progress) {}

  void add_bytes(const std::string& name, std::uint64_t bytes) { find(name).phase.bytes += bytes; }
  std::vector<Phase> phases() const;
  std::chrono::nanoseconds elapsed() const { return std::chrono::steady_clock::now() - started_; }

 private:
  struct Entry {
    Phase phase;
    int active = 0;
    std::chrono::steady_clock::time_point since;
  };
  Entry& find(const std::string& name);
  void begin(const char* name);
  void end(const char* name);

  Progress& progress_;
  std::vector<Entry> entries_;
  std::chrono::steady_clock::time_point started_ = std::chrono::steady_clock::now();
};

}  // namespace kiln::engine
