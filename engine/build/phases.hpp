// Where the time went: for each phase the time during which at least one activity of its kind was going on.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "engine/build/request.hpp"

namespace kiln::engine {

class PhaseClock {
 public:
  // Going on while it lives. Loop thread.
  class Activity {
   public:
    Activity(PhaseClock& clock, const char* name) : clock_(clock), name_(name) { clock_.begin(name_); }
    ~Activity() { clock_.end(name_); }
    Activity(const Activity&) = delete;
    Activity& operator=(const Activity&) = delete;

   private:
    PhaseClock& clock_;
    const char* name_;
  };

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

  std::vector<Entry> entries_;
  std::chrono::steady_clock::time_point started_ = std::chrono::steady_clock::now();
};

}  // namespace kiln::engine
