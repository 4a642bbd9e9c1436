#include <linux/capability.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <filesystem>
#include <sstream>

#include <fmt/format.h>

#include "engine/sandbox/init_request.hpp"
#include "engine/sandbox/reexec.hpp"
#include "engine/sandbox/sandbox.hpp"
#include "io/base/error.hpp"

namespace kiln::engine {

namespace {

// May this process hand out foreign ids? Root with SETUID and SETGID in its bounding set.
bool may_map_ids() {
  return geteuid() == 0 && prctl(PR_CAPBSET_READ, CAP_SETUID, 0, 0, 0) == 1 && prctl(PR_CAPBSET_READ, CAP_SETGID, 0, 0, 0) == 1;
}

struct Probed {
  std::string user_namespace;
  std::string mounts;
  std::string overlay;
};

io::Task<Probed> probe(io::Runtime& runtime, std::string directory, bool all_ids) {
  InitRequest request;
  request.mode = InitRequest::Mode::probe;
  request.work_directory = directory;
  request.directories = {"l0", "l1"};
  request.overlay_work = "w1";
  request.all_ids = all_ids;
  std::string out;
  const auto collect = [&out](int, std::string_view line) {
    out += line;
    out += '\n';
  };
  co_await run_init(runtime, request, collect);
  Probed probed;
  std::istringstream lines(out);
  std::getline(lines, probed.user_namespace);
  std::getline(lines, probed.mounts);
  std::getline(lines, probed.overlay);
  co_return probed;
}

SandboxChoice choose_in_place(const SandboxRequest& request, const std::string& refused) {
  SandboxChoice choice;
  choice.kind = SandboxKind::in_place;
  if (!request.force && !in_container()) {
    throw io::Error(
        io::ErrorKind::unsupported,
        fmt::format("RUN needs a sandbox, and there is none: {}this is not a container, so running in place would replace "
                    "this machine's own root file system. Run kiln in a container, allow user namespaces, or use --force "
                    "if you are sure",
                    refused));
  }
  if (geteuid() != 0) {
    throw io::Error(io::ErrorKind::unsupported,
                    fmt::format("RUN needs a sandbox, and there is none: {}running in place needs root in the container "
                                "(runAsUser: 0). Builds without RUN work as they are",
                                refused));
  }
  choice.all_ids = true;
  choice.reason = refused.empty() ? "asked for" : refused.substr(0, refused.size() - 2);
  return choice;
}

}  // namespace

io::Task<SandboxChoice> probe_sandbox(io::Runtime& runtime, SandboxRequest request) {
  if (request.wanted == SandboxKind::in_place) co_return choose_in_place(request, "");
  SandboxChoice choice;
  choice.kind = SandboxKind::userns;
  choice.all_ids = may_map_ids();
  const std::string directory = request.work_directory + "/probe";
  std::filesystem::create_directories(directory);
  const Probed probed = co_await probe(runtime, directory, choice.all_ids);
  std::error_code ignored;
  std::filesystem::remove_all(directory, ignored);
  std::string refused;
  if (probed.user_namespace != "ok") {
    refused = probed.user_namespace;
  } else if (probed.mounts != "ok") {
    refused = probed.mounts;
  }
  if (refused.empty()) {
    choice.overlay = request.allow_overlay && probed.overlay == "ok";
    choice.reason = choice.overlay           ? "user and mount namespaces and overlay are allowed"
                    : !request.allow_overlay ? "user and mount namespaces are allowed; overlay is off"
                                             : fmt::format("user and mount namespaces are allowed; no overlay in {}: {}",
                                                           request.work_directory, probed.overlay);
    co_return choice;
  }
  if (request.wanted == SandboxKind::userns) {
    throw io::Error(io::ErrorKind::unsupported, fmt::format("--sandbox=userns cannot be used here: {}", refused));
  }
  co_return choose_in_place(request, refused + "; ");
}

}  // namespace kiln::engine
