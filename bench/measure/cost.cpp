#include "bench/measure/cost.hpp"

#include <fcntl.h>
#include <linux/perf_event.h>
#include <malloc.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <vector>

#include <fmt/format.h>

#include "io/base/fd.hpp"

namespace kiln::bench {

namespace {

using Clock = std::chrono::steady_clock;

std::string read_text(const char* path) {
  std::ifstream file(path);
  return std::string(std::istreambuf_iterator<char>(file), {});
}

// The number behind `name` in a file of /proc.
std::optional<std::uint64_t> field(const std::string& text, std::string_view name) {
  auto at = text.find(name);
  if (at == std::string::npos) return std::nullopt;
  at = text.find_first_of("0123456789", at + name.size());
  std::uint64_t value = 0;
  if (at == std::string::npos || std::from_chars(text.data() + at, text.data() + text.size(), value).ec != std::errc())
    return std::nullopt;
  return value;
}

// read(2) and its kin; this very reading of the file is not in it yet.
std::optional<std::uint64_t> bytes_read_so_far(std::uint64_t* own = nullptr) {
  const std::string text = read_text("/proc/self/io");
  if (own) *own = text.size();
  return field(text, "rchar:");
}

std::optional<std::uint64_t> memory_field(std::string_view name) {
  const auto kilobytes = field(read_text("/proc/self/status"), name);
  if (!kilobytes) return std::nullopt;
  return *kilobytes * 1024;
}

double cpu_seconds_so_far() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

// tracefs as a detached mount: a descriptor of its root.
io::UniqueFd open_tracefs() {
  const io::UniqueFd context(static_cast<int>(syscall(SYS_fsopen, "tracefs", FSOPEN_CLOEXEC)));
  if (!context) return {};
  if (syscall(SYS_fsconfig, context.get(), FSCONFIG_CMD_CREATE, nullptr, nullptr, 0) != 0) return {};
  return io::UniqueFd(static_cast<int>(syscall(SYS_fsmount, context.get(), FSMOUNT_CLOEXEC, 0)));
}

io::UniqueFd open_event(std::uint64_t tracepoint, int thread) {
  perf_event_attr attributes{};
  attributes.size = sizeof attributes;
  attributes.type = PERF_TYPE_TRACEPOINT;
  attributes.config = tracepoint;
  attributes.inherit = 1;  // threads that are started meanwhile
  return io::UniqueFd(static_cast<int>(syscall(SYS_perf_event_open, &attributes, thread, -1, -1, PERF_FLAG_FD_CLOEXEC)));
}

}  // namespace

SystemCallCounter::SystemCallCounter(bool wanted) {
  if (!wanted) {
    why_not_ = "not wanted";
    return;
  }
  const io::UniqueFd tracefs = open_tracefs();
  const io::UniqueFd id(tracefs ? openat(tracefs.get(), "events/raw_syscalls/sys_enter/id", O_RDONLY | O_CLOEXEC) : -1);
  char text[32] = {};
  std::uint64_t number = 0;
  if (!id || read(id.get(), text, sizeof text - 1) <= 0 ||
      std::from_chars(text, text + std::strlen(text), number).ec != std::errc()) {
    why_not_ = fmt::format("tracefs: {}", std::strerror(errno));
  } else if (!open_event(number, 0)) {
    why_not_ = fmt::format("perf_event_open: {}", std::strerror(errno));
  } else {
    tracepoint_ = number;
  }
}

struct SystemCallCounter::Stretch::Events {
  std::vector<io::UniqueFd> threads;
};

SystemCallCounter::Stretch::Stretch(const SystemCallCounter& counter) {
  if (!counter.tracepoint_) return;
  auto events = std::make_unique<Events>();
  for (const auto& thread : std::filesystem::directory_iterator("/proc/self/task")) {
    io::UniqueFd event = open_event(*counter.tracepoint_, std::stoi(thread.path().filename()));
    if (!event) return;
    events->threads.push_back(std::move(event));
  }
  for (const auto& event : events->threads) ioctl(event.get(), PERF_EVENT_IOC_RESET, 0);
  events_ = std::move(events);
}

SystemCallCounter::Stretch::~Stretch() = default;

std::optional<std::uint64_t> SystemCallCounter::Stretch::count() const {
  if (!events_) return std::nullopt;
  std::uint64_t sum = 0;
  for (const auto& event : events_->threads) {
    std::uint64_t value = 0;
    if (read(event.get(), &value, sizeof value) != sizeof value) return std::nullopt;
    sum += value;
  }
  // Our own: what the constructor did after the first reset, and each read but the last one's return.
  return sum - std::min<std::uint64_t>(sum, 2 * events_->threads.size());
}

struct CostMeter::Start {
  std::optional<std::uint64_t> resident;
  std::uint64_t own_bytes_read = 0;
  std::optional<std::uint64_t> bytes_read;
  SystemCallCounter::Stretch system_calls;
  double cpu_seconds;
  Clock::time_point time;
};

CostMeter::CostMeter(const SystemCallCounter& counter) {
  malloc_trim(0);
  std::ofstream("/proc/self/clear_refs") << '5';  // the peak becomes what is resident now (proc(5))
  const auto resident = memory_field("VmRSS:");
  std::uint64_t own = 0;
  const auto bytes_read = bytes_read_so_far(&own);
  start_.reset(new Start{resident, own, bytes_read, SystemCallCounter::Stretch(counter), cpu_seconds_so_far(), Clock::now()});
}

CostMeter::~CostMeter() = default;

Cost CostMeter::stop() {
  Cost cost;
  cost.seconds = std::chrono::duration<double>(Clock::now() - start_->time).count();
  cost.cpu_seconds = cpu_seconds_so_far() - start_->cpu_seconds;
  cost.system_calls = start_->system_calls.count();
  const auto bytes_read = bytes_read_so_far();
  if (bytes_read && start_->bytes_read) {
    const std::uint64_t more = *bytes_read - *start_->bytes_read;
    cost.bytes_read = more - std::min(more, start_->own_bytes_read);
  }
  const auto peak = memory_field("VmHWM:");
  if (peak && start_->resident) cost.memory = *peak - std::min(*peak, *start_->resident);
  return cost;
}

}  // namespace kiln::bench
