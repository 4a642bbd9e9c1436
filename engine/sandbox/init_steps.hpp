// The steps by which a process becomes a RUN's: plain system calls in a process of one thread. Each throws io::Error with
// the call and what it was for; the caller reports the text and exits.
#pragma once

#include <string>

#include "engine/sandbox/init_request.hpp"

namespace kiln::engine {

// An io::Error(unsupported) with what errno says.
[[noreturn]] void refused(const std::string& what);

// A user namespace whose ids are mapped: all that there are here one to one, or root alone to whoever we are.
void enter_user_namespace(bool all_ids);
// Mount, pid, ipc and uts namespaces, and a network of its own when asked for.
void enter_other_namespaces(bool no_network);

// In the new mount namespace: the overlay or the bind of the plain root. Gives its path.
std::string mount_root(const InitRequest& request);
// /proc, /dev, /sys, resolv.conf and hosts below `root`; targets are resolved below it without following links.
void mount_system(const std::string& root, const InitRequest& request);
// The RUN's own mounts, in their order.
void mount_for_run(const std::string& root, const InitRequest& request);
// Makes `root` the root of this process and lets go of everything else.
void change_root(const std::string& root);

// Docker's default 14 capabilities at most.
void limit_capabilities();
// Directory, supplementary groups, gid, uid.
void become_user(const InitRequest& request);
// Umask and exec, the program looked up in the PATH of the request's environment. Returns only by throwing; the
// error's exit code is 127 (not found) or 126.
[[noreturn]] void execute(const InitRequest& request);

// Which parts of the userns sandbox work here, each "ok" or what was refused; for the probe.
struct ProbeResult {
  std::string user_namespace;
  std::string mounts;
  std::string overlay;
};
ProbeResult probe_userns(const InitRequest& request);

}  // namespace kiln::engine
