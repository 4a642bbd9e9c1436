#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <net/if.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <fstream>
#include <string>

#include <fmt/format.h>

#include "engine/sandbox/init_steps.hpp"
#include "io/base/error.hpp"
#include "io/base/fd.hpp"

namespace kiln::engine {

void refused(const std::string& what) {
  throw io::Error(io::ErrorKind::unsupported, fmt::format("{}: {}", what, std::strerror(errno)));
}

namespace {

void write_proc(const std::string& path, const std::string& text) {
  const io::UniqueFd file(open(path.c_str(), O_WRONLY | O_CLOEXEC));
  if (!file || write(file.get(), text.data(), text.size()) < 0) refused("writing " + path);
}

// Every id that there is here, as itself. `map`: /proc/self/uid_map or gid_map, whose lines are the first id, where it leads to
// outside, and how many there are.
std::string same_ids(const char* map) {
  std::ifstream file(map);
  std::string text;
  for (std::uint64_t first = 0, outside = 0, count = 0; file >> first >> outside >> count;) {
    text += fmt::format("{} {} {}\n", first, first, count);
  }
  return text;
}

// A process that stays outside writes the maps of ranges: it still has the rights of the parent's namespace.
void map_all_ids_from_outside() {
  const std::string users = same_ids("/proc/self/uid_map"), groups = same_ids("/proc/self/gid_map");
  int ready[2];
  if (pipe2(ready, O_CLOEXEC) != 0) refused("pipe");
  const pid_t inside = getpid();
  const pid_t writer = fork();
  if (writer < 0) refused("fork");
  if (writer == 0) {
    close(ready[1]);
    char byte = 0;
    int code = 1;
    if (read(ready[0], &byte, 1) == 1) {
      try {
        write_proc(fmt::format("/proc/{}/uid_map", inside), users);
        write_proc(fmt::format("/proc/{}/gid_map", inside), groups);
        code = 0;
      } catch (const io::Error&) {
        code = errno;
      }
    }
    _exit(code);
  }
  close(ready[0]);
  if (unshare(CLONE_NEWUSER) != 0) {
    const int error = errno;
    close(ready[1]);
    waitpid(writer, nullptr, 0);
    errno = error;
    refused("unshare(CLONE_NEWUSER)");
  }
  [[maybe_unused]] const ssize_t told = write(ready[1], "x", 1);
  close(ready[1]);
  int status = 0;
  waitpid(writer, &status, 0);
  errno = WIFEXITED(status) ? WEXITSTATUS(status) : EPERM;
  if (errno != 0) refused("mapping users and groups");
}

void bring_loopback_up() {
  const io::UniqueFd socket_fd(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  ifreq request{};
  std::strcpy(request.ifr_name, "lo");
  request.ifr_flags = IFF_UP | IFF_RUNNING;
  if (!socket_fd || ioctl(socket_fd.get(), SIOCSIFFLAGS, &request) != 0) refused("bringing the loopback interface up");
}

// Why exec refused.
std::string why_not(const std::string& program, int error) {
  if (error == ENOENT && program.find('/') == std::string::npos) {
    return fmt::format("exec: \"{}\": executable file not found in $PATH", program);
  }
  if (error == ENOENT && access(program.c_str(), F_OK) == 0) {
    return fmt::format("exec: \"{}\": the interpreter or loader that it names is not in the image", program);
  }
  if (error == ENOENT && program == "/bin/sh") {
    return "exec: \"/bin/sh\": no such file: the image has no shell; use the exec form, RUN [\"program\", \"argument\"], or SHELL";
  }
  return fmt::format("exec: \"{}\": {}", program, std::strerror(error));
}

}  // namespace

void enter_user_namespace(bool all_ids) {
  if (all_ids) {
    map_all_ids_from_outside();
  } else {
    const uid_t uid = geteuid();
    const gid_t gid = getegid();
    if (unshare(CLONE_NEWUSER) != 0) refused("unshare(CLONE_NEWUSER)");
    write_proc("/proc/self/setgroups", "deny");
    write_proc("/proc/self/uid_map", fmt::format("0 {} 1\n", uid));
    write_proc("/proc/self/gid_map", fmt::format("0 {} 1\n", gid));
  }
  // Root inside, whoever we were: files that are made from now on are root's.
  if (setresgid(0, 0, 0) != 0 || setresuid(0, 0, 0) != 0) refused("becoming root in the user namespace");
}

void enter_other_namespaces(bool no_network) {
  const int flags = CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWIPC | CLONE_NEWUTS | (no_network ? CLONE_NEWNET : 0);
  if (unshare(flags) != 0) refused("unshare of mount, pid, ipc and uts namespaces");
  if (no_network) bring_loopback_up();
}

void limit_capabilities() {
  constexpr std::array kept = {
      CAP_CHOWN,  CAP_DAC_OVERRIDE, CAP_FSETID,  CAP_FOWNER,           CAP_MKNOD,      CAP_NET_RAW, CAP_SETGID,
      CAP_SETUID, CAP_SETFCAP,      CAP_SETPCAP, CAP_NET_BIND_SERVICE, CAP_SYS_CHROOT, CAP_KILL,    CAP_AUDIT_WRITE};
  for (int capability = 0; capability <= CAP_LAST_CAP; ++capability) {
    if (std::find(kept.begin(), kept.end(), capability) == kept.end()) prctl(PR_CAPBSET_DROP, capability, 0, 0, 0);
  }
}

// The directory is entered as root, and as the user only where root may not: a user runs in directories that he could not enter
// (as with runc).
void become_user(const InitRequest& request) {
  const char* directory = request.working_directory.c_str();
  const bool there = chdir(directory) == 0;
  const std::vector<gid_t> groups(request.groups.begin(), request.groups.end());
  // Where groups cannot be set, the own one need not be.
  const bool needed = std::any_of(groups.begin(), groups.end(), [&](gid_t group) { return group != request.gid; });
  if (setgroups(groups.size(), groups.data()) != 0 && needed) refused("setting supplementary groups");
  if (setresgid(request.gid, request.gid, request.gid) != 0) refused(fmt::format("becoming group {}", request.gid));
  if (setresuid(request.uid, request.uid, request.uid) != 0) refused(fmt::format("becoming user {}", request.uid));
  if (!there && chdir(directory) != 0) refused("entering working directory " + request.working_directory);
}

void execute(const InitRequest& request) {
  umask(022);
  std::vector<char*> arguments, environment;
  for (const auto& argument : request.arguments) arguments.push_back(const_cast<char*>(argument.c_str()));
  for (const auto& variable : request.environment) environment.push_back(const_cast<char*>(variable.c_str()));
  arguments.push_back(nullptr);
  environment.push_back(nullptr);
  const std::string& program = request.arguments.front();
  int error = ENOENT;
  if (program.find('/') != std::string::npos) {
    execve(program.c_str(), arguments.data(), environment.data());
    error = errno;
  } else {
    std::string path;
    for (const auto& variable : request.environment) {
      if (variable.starts_with("PATH=")) path = variable.substr(5);
    }
    for (std::size_t at = 0; at <= path.size();) {
      const std::size_t colon = std::min(path.find(':', at), path.size());
      const std::string candidate = (colon == at ? "." : path.substr(at, colon - at)) + "/" + program;
      execve(candidate.c_str(), arguments.data(), environment.data());
      if (errno != ENOENT && errno != ENOTDIR) error = errno;
      at = colon + 1;
    }
  }
  throw io::Error(io::ErrorKind::process, why_not(program, error)).set_exit_code(error == ENOENT ? 127 : 126);
}

}  // namespace kiln::engine
