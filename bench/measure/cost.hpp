// What a piece of work costs this process.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

namespace kiln::bench {

struct Cost {
  double seconds = 0;
  double cpu_seconds = 0;                     // user and system, all threads
  std::optional<std::uint64_t> system_calls;  // of all threads
  std::optional<std::uint64_t> bytes_read;    // by read(2) and its kin, page cache included; not what io_uring reads
  std::optional<std::uint64_t> memory;        // bytes by which the resident set grew at most
};

// Counts system calls by a perf event on the tracepoint raw_syscalls:sys_enter, which wants root (or CAP_PERFMON) and a kernel
// with tracefs. The file system is opened without being mounted anywhere.
class SystemCallCounter {
 public:
  // Counting slows every call down a little: what is only timed does without.
  explicit SystemCallCounter(bool wanted = true);
  bool available() const { return why_not_.empty(); }
  const std::string& why_not() const { return why_not_; }  // empty: it is available

  // A count of one stretch, from its construction.
  class Stretch {
   public:
    explicit Stretch(const SystemCallCounter& counter);
    ~Stretch();
    Stretch(const Stretch&) = delete;
    Stretch& operator=(const Stretch&) = delete;
    std::optional<std::uint64_t> count() const;

   private:
    struct Events;
    std::unique_ptr<Events> events_;
  };

 private:
  std::optional<std::uint64_t> tracepoint_;
  std::string why_not_;
};

// Measures from its construction to stop().
class CostMeter {
 public:
  explicit CostMeter(const SystemCallCounter& counter);
  ~CostMeter();
  CostMeter(const CostMeter&) = delete;
  CostMeter& operator=(const CostMeter&) = delete;
  Cost stop();

 private:
  struct Start;
  std::unique_ptr<Start> start_;
};

}  // namespace kiln::bench
