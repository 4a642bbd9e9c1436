#include "io/process/child.hpp"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <set>
#include <thread>

#include <asio/posix/stream_descriptor.hpp>
#include <asio/redirect_error.hpp>
#include <asio/steady_timer.hpp>
#include <asio/this_coro.hpp>
#include <fmt/format.h>

#include "io/base/error.hpp"
#include "io/loop/task_group.hpp"
#include "io/process/spawn.hpp"

namespace kiln::io {

namespace {

constexpr std::size_t longest_line = 16U << 10U;

// Leaders of running commands, and children to be spared (loop thread). Other children of ours are orphans that a command
// left behind.
std::set<pid_t>& leaders() {
  static std::set<pid_t> pids;
  return pids;
}

void become_subreaper() {
  static const bool done = prctl(PR_SET_CHILD_SUBREAPER, 1) == 0;
  static_cast<void>(done);
}

std::vector<pid_t> our_children() {
  std::vector<pid_t> pids;
  std::error_code ignored;
  for (const auto& task : std::filesystem::directory_iterator("/proc/self/task", ignored)) {
    std::ifstream file(task.path() / "children");
    for (pid_t pid = 0; file >> pid;) pids.push_back(pid);
  }
  return pids;
}

// Kills and reaps what has been reparented to us, until nothing new turns up. Daemons of a command that runs at the same
// time cannot be told apart from ours once their parent is gone; commands whose daemons matter run in a pid namespace.
void end_orphans() {
  for (int round = 0; round < 100; ++round) {
    bool any = false;
    for (const pid_t pid : our_children()) {
      if (leaders().contains(pid)) continue;
      kill(pid, SIGKILL);
      waitpid(pid, nullptr, 0);
      any = true;
    }
    if (!any) return;
  }
}

class LineSplitter {
 public:
  LineSplitter(int stream, const std::function<void(int, std::string_view)>& on_line) : stream_(stream), on_line_(on_line) {}

  void add(std::string_view text) {
    while (!text.empty()) {
      const auto newline = text.find('\n');
      const auto part = text.substr(0, std::min(newline, longest_line - line_.size()));
      line_ += part;
      text.remove_prefix(part.size());
      const bool ended = !text.empty() && text.front() == '\n';
      if (ended) text.remove_prefix(1);
      if (ended || line_.size() == longest_line) flush();
    }
  }
  void finish() {
    if (!line_.empty()) flush();
  }

 private:
  void flush() {
    if (line_.ends_with('\r')) line_.pop_back();
    on_line_(stream_, line_);
    line_.clear();
  }
  int stream_;
  const std::function<void(int, std::string_view)>& on_line_;
  std::string line_;
};

Task<void> read_lines(asio::posix::stream_descriptor& pipe, int stream, const std::function<void(int, std::string_view)>& on_line) {
  LineSplitter lines(stream, on_line);
  std::array<char, 32U << 10U> buffer;
  while (true) {
    asio::error_code error;
    const std::size_t count = co_await pipe.async_read_some(asio::buffer(buffer), asio::redirect_error(asio::use_awaitable, error));
    if (error) break;
    lines.add({buffer.data(), count});
  }
  lines.finish();
}

// One running command.
class Running {
 public:
  Running(Runtime& runtime, const Command& command)
      : runtime_(runtime),
        command_(command),
        spawned_(spawn(command)),
        exited_(runtime.loop()),
        out_(runtime.loop()),
        err_(runtime.loop()) {
    leaders().insert(spawned_.pid);
    exited_.assign(spawned_.pidfd.release());
    if (spawned_.out) out_.assign(spawned_.out.release());
    if (spawned_.err) err_.assign(spawned_.err.release());
  }
  ~Running() {
    if (!reaped_) {
      kill(-spawned_.pid, SIGKILL);
      kill(spawned_.pid, SIGKILL);
      waitpid(spawned_.pid, nullptr, 0);
    }
    leaders().erase(spawned_.pid);
  }
  Running(const Running&) = delete;
  Running& operator=(const Running&) = delete;

  Task<ExitStatus> run() {
    open_gate();
    TaskGroup readers(runtime_.executor());
    if (out_.is_open()) readers.spawn(read_lines(out_, 1, command_.on_line));
    if (err_.is_open()) readers.spawn(read_lines(err_, 2, command_.on_line));
    bool cancelled = false;
    try {
      co_await wait_for_exit();
    } catch (const std::exception&) {
      cancelled = true;
    }
    if (cancelled) {
      co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
      co_await end_slowly();
    }
    const ExitStatus status = reap();
    // Whoever still holds the pipes is gone now, so the readers end by themselves.
    co_await readers.join();
    if (cancelled) throw Error(ErrorKind::cancelled, fmt::format("running '{}': stopped", command_.program));
    co_return status;
  }

 private:
  void open_gate() {
    if (command_.on_started) command_.on_started(spawned_.pid);
    if (!spawned_.gate) return;
    const char go = 'g';
    [[maybe_unused]] const ssize_t ignored = ::write(spawned_.gate.get(), &go, 1);
    spawned_.gate.reset();
  }

  Task<void> wait_for_exit() {
    asio::error_code error;
    co_await exited_.async_wait(asio::posix::stream_descriptor::wait_read, asio::redirect_error(asio::use_awaitable, error));
    co_await throw_if_cancelled();
  }

  // SIGTERM to the group, time to obey, SIGKILL.
  Task<void> end_slowly() {
    kill(-spawned_.pid, SIGTERM);
    asio::steady_timer deadline(runtime_.loop(), command_.grace);
    auto kill_group = [pid = spawned_.pid](asio::error_code error) {
      if (!error) kill(-pid, SIGKILL);
    };
    deadline.async_wait(kill_group);
    asio::error_code ignored;
    co_await exited_.async_wait(asio::posix::stream_descriptor::wait_read, asio::redirect_error(asio::use_awaitable, ignored));
    deadline.cancel();
  }

  // The group goes before its leader is reaped: until then its number cannot be somebody else's.
  ExitStatus reap() {
    kill(-spawned_.pid, SIGKILL);
    int raw = 0;
    waitpid(spawned_.pid, &raw, 0);
    reaped_ = true;
    leaders().erase(spawned_.pid);
    end_orphans();
    ExitStatus status;
    if (WIFSIGNALED(raw)) {
      status.signal = WTERMSIG(raw);
      status.code = 128 + status.signal;
    } else {
      status.code = WEXITSTATUS(raw);
    }
    return status;
  }

  Runtime& runtime_;
  const Command& command_;
  Spawned spawned_;
  asio::posix::stream_descriptor exited_;
  asio::posix::stream_descriptor out_;
  asio::posix::stream_descriptor err_;
  bool reaped_ = false;
};

}  // namespace

Task<ExitStatus> run_child(Runtime& runtime, Command command) {
  become_subreaper();
  Running running(runtime, command);
  const ExitStatus status = co_await running.run();
  co_return status;
}

void spare_child(pid_t pid) { leaders().insert(pid); }

Task<Output> run_and_collect(Runtime& runtime, Command command, std::size_t limit) {
  Output output;
  bool too_much = false;
  command.on_line = [&output, &too_much, limit](int stream, std::string_view line) {
    std::string& text = stream == 1 ? output.out : output.err;
    if (text.size() + line.size() >= limit) {
      too_much = true;
      return;
    }
    text += line;
    text += '\n';
  };
  const std::string program = command.program;
  output.status = co_await run_child(runtime, std::move(command));
  if (too_much) throw Error(ErrorKind::process, fmt::format("running '{}': more than {} bytes of output", program, limit));
  co_return output;
}

}  // namespace kiln::io
