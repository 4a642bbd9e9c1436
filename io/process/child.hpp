// Child processes: started, watched through a pidfd, their output passed on line by line, their whole tree ended.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "io/base/fd.hpp"
#include "io/loop/runtime.hpp"
#include "io/loop/task.hpp"

namespace kiln::io {

struct Command {
  std::string program;                   // path, or a name that is looked up in our own PATH
  std::vector<std::string> arguments;    // without argv[0]
  std::vector<std::string> environment;  // NAME=value; the child gets exactly these
  std::string directory;                 // empty: ours
  std::string input;                     // what standard input reads; then end of file
  // Descriptors that the child gets under the given number, besides 0 to 2. Everything else is closed.
  std::vector<std::pair<int, int>> descriptors;  // ours (borrowed), theirs
  // Called on the loop thread for every line of standard output (1) or error (2), without the newline; lines over
  // 16 KiB come in parts. Without it, both are ours.
  std::function<void(int stream, std::string_view line)> on_line;
  // Called on the loop thread after the child was started and before it may go on past its `start gate`: see `gate`.
  std::function<void(int pid)> on_started;
  // Descriptor number in the child from which it reads one byte before it goes on (user namespaces wait here until
  // their id maps are written); 0: none. The byte is sent after on_started.
  int gate = 0;
  std::chrono::milliseconds grace{2'000};  // between SIGTERM and SIGKILL when cancelled
};

struct ExitStatus {
  int code = 0;    // exit code; 128 + signal when a signal ended it, as a shell counts
  int signal = 0;  // 0: none
  bool ok() const noexcept { return code == 0 && signal == 0; }
};

// Runs `command` to its end. The child leads a process group and a session of its own; when it has exited, whatever it
// left behind is killed and reaped: its process group, and, as this process is made a subreaper
// (PR_SET_CHILD_SUBREAPER), daemons that moved away too. Cancelling ends the tree (SIGTERM, then SIGKILL after
// `grace`) and throws Error(cancelled) when all of it is gone. Errors: process (cannot be started).
Task<ExitStatus> run_child(Runtime& runtime, Command command);

// Loop thread: a child that somebody else started and that goes on beside commands: it is no orphan of theirs.
void spare_child(pid_t pid);

struct Output {
  ExitStatus status;
  std::string out;
  std::string err;
};
// Runs and collects both outputs, at most `limit` bytes each (Error(process) above).
Task<Output> run_and_collect(Runtime& runtime, Command command, std::size_t limit = 16U << 20U);

}  // namespace kiln::io
