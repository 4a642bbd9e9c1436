#include "io/process/spawn.hpp"

#include <fcntl.h>
#include <linux/close_range.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <string_view>

#include <fmt/format.h>

#include "io/base/error.hpp"

namespace kiln::io {

namespace {

struct Pipe {
  UniqueFd read;
  UniqueFd write;
};

Pipe make_pipe() {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) throw_errno(errno, "making a pipe");
  return {UniqueFd(ends[0]), UniqueFd(ends[1])};
}

// A file that holds `text`, read from its start.
UniqueFd make_input(const std::string& text) {
  if (text.empty()) return UniqueFd(open("/dev/null", O_RDONLY | O_CLOEXEC));
  UniqueFd file(memfd_create("kiln-input", MFD_CLOEXEC));
  if (!file) throw_errno(errno, "making a child's standard input");
  for (std::size_t done = 0; done < text.size();) {
    const ssize_t count = write(file.get(), text.data() + done, text.size() - done);
    if (count < 0) throw_errno(errno, "filling a child's standard input");
    done += static_cast<std::size_t>(count);
  }
  lseek(file.get(), 0, SEEK_SET);
  return file;
}

std::string find_program(const std::string& program) {
  if (program.find('/') != std::string::npos) return program;
  const char* path = std::getenv("PATH");
  std::string_view rest = path ? path : "/usr/local/bin:/usr/bin:/bin";
  while (true) {
    const auto colon = rest.find(':');
    const std::string candidate = fmt::format("{}/{}", rest.substr(0, colon), program);
    if (access(candidate.c_str(), X_OK) == 0) return candidate;
    if (colon == std::string_view::npos) break;
    rest.remove_prefix(colon + 1);
  }
  throw Error(ErrorKind::process, fmt::format("running '{}': not found in PATH", program)).set_exit_code(127);
}

// All that the child needs, made before the fork: after it nothing may allocate.
struct Prepared {
  std::string program;
  std::vector<char*> arguments;
  std::vector<char*> environment;
  const char* directory = nullptr;
  int in = -1, out = -1, err = -1, gate = -1, gate_number = 0, status = -1;
  std::vector<std::pair<int, int>> descriptors;
  int highest = 2;
};

[[noreturn]] void fail_in_child(int status) {
  const int error = errno;
  [[maybe_unused]] const ssize_t ignored = write(status, &error, sizeof error);
  _exit(127);
}

// Moves descriptors out of the way of their targets, then into place.
void place_descriptors(Prepared& child) {
  const auto lift = [&](int& fd) {
    if (fd < 0) return;
    const int lifted = fcntl(fd, F_DUPFD_CLOEXEC, child.highest + 16);
    if (lifted < 0) fail_in_child(child.status);
    fd = lifted;
  };
  lift(child.status);
  lift(child.in);
  lift(child.out);
  lift(child.err);
  lift(child.gate);
  for (auto& pair : child.descriptors) lift(pair.first);
  const auto place = [&](int fd, int target) {
    if (fd >= 0 && dup2(fd, target) < 0) fail_in_child(child.status);
  };
  place(child.in, 0);
  place(child.out, 1);
  place(child.err, 2);
  if (child.gate >= 0) place(child.gate, child.gate_number);
  for (const auto& [ours, theirs] : child.descriptors) place(ours, theirs);
}

void reset_signals() {
  struct sigaction action{};
  action.sa_handler = SIG_DFL;
  for (int number = 1; number < NSIG; ++number) sigaction(number, &action, nullptr);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
}

[[noreturn]] void run_child_side(Prepared& child) {
  setsid();
  reset_signals();
  place_descriptors(child);
  if (child.directory && chdir(child.directory) != 0) fail_in_child(child.status);
  execve(child.program.c_str(), child.arguments.data(), child.environment.data());
  fail_in_child(child.status);
}

Prepared prepare(const Command& command) {
  Prepared child;
  child.program = find_program(command.program);
  child.arguments.push_back(const_cast<char*>(command.program.c_str()));
  for (const auto& argument : command.arguments) child.arguments.push_back(const_cast<char*>(argument.c_str()));
  child.arguments.push_back(nullptr);
  for (const auto& variable : command.environment) child.environment.push_back(const_cast<char*>(variable.c_str()));
  child.environment.push_back(nullptr);
  if (!command.directory.empty()) child.directory = command.directory.c_str();
  child.descriptors = command.descriptors;
  child.gate_number = command.gate;
  child.highest = std::max(2, command.gate);
  for (const auto& pair : command.descriptors) child.highest = std::max(child.highest, pair.second);
  return child;
}

// The child reports errno when it cannot execute; an exec closes the pipe silently.
void check_started(const Command& command, int status, pid_t pid) {
  int error = 0;
  ssize_t count = 0;
  do count = read(status, &error, sizeof error);
  while (count < 0 && errno == EINTR);
  if (count != sizeof error) return;
  waitpid(pid, nullptr, 0);
  throw Error(ErrorKind::process, fmt::format("running '{}': {}", command.program, std::strerror(error)))
      .set_exit_code(error == ENOENT ? 127 : 126);
}

}  // namespace

Spawned spawn(const Command& command) {
  Prepared child = prepare(command);
  Spawned spawned;
  const UniqueFd input = make_input(command.input);
  Pipe out, err, gate;
  Pipe status = make_pipe();
  if (command.on_line) {
    out = make_pipe();
    err = make_pipe();
  }
  if (command.gate != 0) gate = make_pipe();
  child.in = input.get();
  child.out = out.write.get();
  child.err = err.write.get();
  child.gate = gate.read.get();
  child.status = status.write.get();

  const pid_t pid = fork();
  if (pid < 0) throw_errno(errno, fmt::format("starting '{}'", command.program));
  if (pid == 0) run_child_side(child);
  spawned.pid = pid;
  status.write.reset();
  check_started(command, status.read.get(), pid);
  spawned.pidfd = UniqueFd(static_cast<int>(syscall(SYS_pidfd_open, pid, 0)));
  spawned.out = std::move(out.read);
  spawned.err = std::move(err.read);
  spawned.gate = std::move(gate.write);
  return spawned;
}

}  // namespace kiln::io
