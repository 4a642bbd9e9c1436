// RUN: the command in its sandbox, and what it changed.
#include <algorithm>

#include <fmt/format.h>

#include "engine/build/run_mounts.hpp"
#include "io/base/error.hpp"

namespace kiln::engine {

using io::Task;

namespace {

// What was meant as JSON and is none is a command of the shell.
bool looks_like_json(const RunStep& step) {
  const std::string& command = step.arguments.back();
  return step.arguments.size() > 1 && (command.starts_with("['") || command.starts_with("[\""));
}

io::Error failure_of(const RunStep& step, const io::ExitStatus& status) {
  std::string what = status.signal != 0 ? fmt::format("the command was ended by signal {}", status.signal)
                                        : fmt::format("the command failed with exit code {}", status.code);
  if (looks_like_json(step)) what += " (it begins like a list in JSON and is none: words in \"double quotes\", between commas)";
  return io::Error(io::ErrorKind::process, std::move(what)).set_exit_code(status.code);
}

}  // namespace

const std::string* sandbox_hostname(const BuildRequest& request) {
  const auto given = request.build_args.find("BUILDKIT_SANDBOX_HOSTNAME");
  return given != request.build_args.end() && given->second ? &*given->second : nullptr;
}

Task<Changes> StageRunner::Steps::perform(const RunStep& step, std::size_t number, int id) {
  RunRequest request;
  const UserDatabase database = co_await users();
  const Identity identity = resolve_user(database, step.user);
  request.arguments = step.arguments;
  request.environment = step.environment;
  request.environment.insert(request.environment.end(), step.proxies.begin(), step.proxies.end());
  const bool has_home =
      std::any_of(step.environment.begin(), step.environment.end(), [](const auto& entry) { return entry.starts_with("HOME="); });
  if (!has_home) request.environment.push_back("HOME=" + identity.home);
  request.working_directory = step.working_directory;
  request.uid = identity.uid;
  request.gid = identity.gid;
  request.groups = identity.groups;
  // The own group is among the supplementary ones too, as BuildKit's and containerd's ensureAdditionalGids have it.
  if (std::find(request.groups.begin(), request.groups.end(), identity.gid) == request.groups.end()) {
    request.groups.insert(request.groups.begin(), identity.gid);
  }
  request.no_network = step.no_network;
  if (const std::string* hostname = sandbox_hostname(session_.request)) request.hostname = *hostname;
  request.on_line = [this, id](int stream, std::string_view line) { session_.progress.step_output(id, stream, line); };

  Rootfs& root = *stage_->rootfs;
  root.push_upper(*stage_->tree);
  if (!detector_) detector_ = make_detector(session_.request.snapshot_mode, session_.runtime, root, runs_to_come(number));
  const auto arming = std::chrono::steady_clock::now();
  {
    const PhaseClock::Activity snapshot(session_.clock, "snapshot");
    co_await detector_->arm(root, *stage_->tree);
  }
  const auto armed = std::chrono::steady_clock::now();
  const io::ExitStatus status = co_await execute(step, std::move(request));
  if (!status.ok()) throw failure_of(step, status);
  const auto ended = std::chrono::steady_clock::now();
  const PhaseClock::Activity snapshot(session_.clock, "snapshot");
  const Tree before = *stage_->tree;
  Changes changes = co_await detector_->detect(root, *stage_->tree);
  root.leave_out_bare(before, *stage_->tree, changes);
  snapshot_took_ = armed - arming + (std::chrono::steady_clock::now() - ended);
  co_return changes;
}

// RUNs from step `number` on that may be watched together: what is linked into an ignored path cannot be.
std::size_t StageRunner::Steps::runs_to_come(std::size_t number) const {
  const auto& ignored = session_.request.ignore_paths;
  const auto is_ours = [this](const std::string& path) { return path == session_.request.work_directory; };
  if (!std::all_of(ignored.begin(), ignored.end(), is_ours)) return 1;
  const auto first = resolved_.steps.begin() + static_cast<std::ptrdiff_t>(number);
  const auto is_run = [](const Step& step) { return std::holds_alternative<RunStep>(step.action); };
  return static_cast<std::size_t>(std::count_if(first, resolved_.steps.end(), is_run));
}

// With its mounts, which are given up whatever happens.
Task<io::ExitStatus> StageRunner::Steps::execute(const RunStep& step, RunRequest request) {
  Mounts mounts(*this, step);
  io::ExitStatus status;
  std::exception_ptr failure;
  try {
    co_await mounts.prepare(request);
    const PhaseClock::Activity running(session_.clock, "run");
    status = co_await sandbox_->run(*stage_->rootfs, *stage_->tree, std::move(request));
  } catch (...) {
    failure = std::current_exception();
  }
  if (failure) co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
  co_await mounts.finish();
  if (failure) std::rethrow_exception(failure);
  co_return status;
}

}  // namespace kiln::engine
