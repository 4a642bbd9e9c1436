// The program as a RUN's init. Outer process: namespaces, then it waits. First process of the new pid namespace: mounts,
// root, then it starts the command and reaps whatever becomes an orphan; when it ends, the kernel ends all the rest.
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <string>

#include <fmt/format.h>

#include "engine/sandbox/init_steps.hpp"
#include "engine/sandbox/sandbox.hpp"
#include "io/base/error.hpp"

namespace kiln::engine {

namespace {

std::string read_request() {
  std::string text;
  std::array<char, 65536> buffer;
  while (true) {
    const ssize_t count = read(init_request_fd, buffer.data(), buffer.size());
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) break;
    text.append(buffer.data(), static_cast<std::size_t>(count));
  }
  close(init_request_fd);
  return text;
}

[[noreturn]] void report_and_exit(const io::Error& error) {
  const std::string text = fmt::format("{} {}", error.exit_code(), error.message());
  [[maybe_unused]] const ssize_t ignored = write(init_status_fd, text.data(), text.size());
  _exit(error.exit_code());
}

int code_of(int status) { return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status); }

// Waits for `child`, reaping others on the way; gives its code as a shell counts.
int wait_for(pid_t child) {
  while (true) {
    int status = 0;
    const pid_t ended = waitpid(-1, &status, 0);
    if (ended == child) return code_of(status);
    if (ended < 0 && errno != EINTR) return 1;
  }
}

template <class Body>
pid_t fork_into(const Body& body) {
  const pid_t child = fork();
  if (child < 0) throw io::Error(io::ErrorKind::process, "fork failed");
  if (child != 0) return child;
  try {
    body();
  } catch (const io::Error& error) {
    report_and_exit(error);
  }
  _exit(1);
}

// In the new pid namespace, as its first process.
[[noreturn]] void run_as_first_process(const InitRequest& request) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  const std::string root = mount_root(request);
  if (sethostname(request.hostname.data(), request.hostname.size()) != 0) {
    throw io::Error(io::ErrorKind::unsupported, "setting the host name was refused");
  }
  mount_system(root, request);
  mount_for_run(root, request);
  change_root(root);
  const pid_t command = fork_into([&] {
    limit_capabilities();
    become_user(request);
    execute(request);
  });
  close(init_status_fd);
  _exit(wait_for(command));
}

int run_in_userns(const InitRequest& request) {
  enter_user_namespace(request.all_ids);
  enter_other_namespaces(request.no_network);
  const pid_t first = fork_into([&] { run_as_first_process(request); });
  close(init_status_fd);
  return wait_for(first);
}

int run_probe(const InitRequest& request) {
  const ProbeResult result = probe_userns(request);
  const std::string text = fmt::format("{}\n{}\n{}\n", result.user_namespace, result.mounts, result.overlay);
  [[maybe_unused]] const ssize_t ignored = write(1, text.data(), text.size());
  return 0;
}

}  // namespace

int sandbox_init_main(int, char**) {
  try {
    // The request and the status pipe are ours; the command must not inherit them.
    for (const int fd : {init_request_fd, init_status_fd}) fcntl(fd, F_SETFD, FD_CLOEXEC);
    const InitRequest request = parse_init_request(read_request());
    switch (request.mode) {
      case InitRequest::Mode::run_userns: return run_in_userns(request);
      case InitRequest::Mode::probe: return run_probe(request);
      case InitRequest::Mode::run_in_place: become_user(request); execute(request);
    }
  } catch (const io::Error& error) {
    report_and_exit(error);
  } catch (const std::exception& error) {
    report_and_exit(io::Error(io::ErrorKind::internal, error.what()));
  }
  return 1;
}

}  // namespace kiln::engine
