// Sandbox: how a RUN is executed in a Rootfs. Probed at the start, never assumed.
//
// userns    own user, mount, pid, ipc and uts namespaces; /proc, /dev, /sys, resolv.conf and hosts mounted; root changed
//           into the Rootfs (an overlay of its directories where the kernel allows an upper directory there).
// in_place  the command runs in the container's own "/", as Kaniko does.
// A RUN is started by executing this very program again as `sandbox_init`: the set-up of namespaces, mounts and ids
// happens in a fresh single-threaded process and not between fork and exec of a threaded one.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/rootfs/rootfs.hpp"
#include "engine/sandbox/sandbox_mount.hpp"
#include "io/loop/runtime.hpp"
#include "io/process/child.hpp"

namespace kiln::engine {

enum class SandboxKind { userns, in_place };

std::string_view name_of(SandboxKind kind);

struct SandboxChoice {
  SandboxKind kind = SandboxKind::in_place;
  bool overlay = false;  // userns: RootfsShape::overlay works in `work_directory`
  bool all_ids = false;  // userns: all ids that there are here; else only root
  std::string reason;    // one line: what was tried and what was refused
};

struct SandboxRequest {
  std::optional<SandboxKind> wanted;  // asked for by name: then a refusal is an error
  bool force = false;                 // in place outside a container
  bool allow_overlay = true;
  std::string work_directory;  // where Rootfs directories will live
};

// Tries each sandbox in a child process. Errors: Error(unsupported) saying what was refused and what to change when
// none works (in place: not in a container and no --force; no root).
io::Task<SandboxChoice> probe_sandbox(io::Runtime& runtime, SandboxRequest request);

// The signs that Kaniko looks for: /.dockerenv, /run/.containerenv, /proc/1/cgroup, service account, $container, ...
bool in_container();

struct RunRequest {
  std::vector<std::string> arguments;  // argv[0] is looked up in the PATH of `environment`, inside the root
  std::vector<std::string> environment;
  std::string working_directory = "/";  // inside the root; made where it is missing, to stay
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
  std::vector<std::uint32_t> groups;  // supplementary
  std::string hostname = "buildkitsandbox";
  bool no_network = false;           // --network=none
  std::vector<SandboxMount> mounts;  // parents before what is inside them
  std::function<void(int stream, std::string_view line)> on_line;
};

class Sandbox {
 public:
  virtual ~Sandbox() = default;
  virtual SandboxKind kind() const noexcept = 0;
  virtual RootfsShape shape() const noexcept = 0;
  // Runs to the end, whatever the exit status; nothing of it is alive or mounted afterwards, cancelled or not.
  // Mount points that had to be made are removed again and their parents' times restored, unless the command itself put
  // something there. `tree` is what is in the root; in place the stamps of what was moved out of a mount's way are renewed.
  // Errors: Error(process) when the command cannot be started (exit code 127 not found, 126 not executable),
  // Error(unsupported) for what this sandbox cannot honour, naming it.
  virtual io::Task<io::ExitStatus> run(Rootfs& root, Tree& tree, RunRequest request) = 0;
};

std::unique_ptr<Sandbox> make_sandbox(io::Runtime& runtime, const SandboxChoice& choice);

// Every mount point but "/" (/proc/self/mountinfo).
std::set<std::string> mount_points();

// The absolute paths that a Rootfs must protect: for in_place every mount point below "/" (/proc/self/mountinfo), kiln's
// directory, /var/run when asked, and `ignored`; for userns what the sandbox mounts plus `ignored`.
std::set<std::string> protected_paths(SandboxKind kind, const std::string& kiln_directory, bool ignore_var_run,
                                      const std::vector<std::string>& ignored);

// Entry of the re-executed program: `kiln sandbox-init`; reads its request (init_request.hpp) from a descriptor.
// Returns the exit code only when something failed before exec.
int sandbox_init_main(int argc, char** argv);
inline constexpr std::string_view sandbox_init_name = "sandbox-init";

}  // namespace kiln::engine
