#include "engine/build/session.hpp"

#include <fcntl.h>

#include <cerrno>
#include <chrono>
#include <filesystem>

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "engine/build/base_files.hpp"
#include "engine/build/context_reads.hpp"
#include "engine/build/layer_cache.hpp"
#include "engine/build/mount_exchange.hpp"
#include "engine/build/registries.hpp"
#include "io/base/error.hpp"
#include "io/base/seconds_now.hpp"

namespace kiln::engine {

namespace {

std::string make_directory(const std::string& path) {
  std::error_code error;
  std::filesystem::create_directories(path, error);
  if (error) throw io::Error(io::ErrorKind::filesystem, fmt::format("making work directory '{}': {}", path, error.message()));
  return path;
}

std::shared_ptr<const ContentDirectory> open_scratch(const std::string& path) {
  auto directory = std::make_shared<ContentDirectory>();
  directory->directory = io::UniqueFd(open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!directory->directory) io::throw_errno(errno, fmt::format("opening '{}'", path));
  directory->description = "scratch directory";
  return directory;
}

}  // namespace

Session::Session(io::Runtime& the_runtime, const BuildRequest& the_request, Progress& the_progress)
    : runtime(the_runtime),
      request(the_request),
      progress(the_progress),
      clock(the_progress),
      http(the_runtime, client_options(the_request.registries)),
      hub(the_runtime, http, make_credentials(the_runtime, http, the_request.registries), hub_options(the_request.registries)),
      reader(io::make_file_reader(the_runtime)),
      spool_directory(make_directory(the_request.work_directory + "/spool")),
      scratch_directory(make_directory(the_request.work_directory + "/scratch")),
      scratch(open_scratch(scratch_directory)),
      probed(the_runtime.executor()),
      layer_pushed(the_runtime.executor()),
      transfers(the_runtime.executor()) {
  if (!request.cache.directory.empty()) image_store = std::make_unique<oci::ImageStore>(request.cache.directory);
  fix_times(std::nullopt);
}

std::string created_text(std::int64_t seconds) { return oci::format_rfc3339(oci::Timestamp(std::chrono::seconds(seconds))); }

void Session::fix_times(std::optional<std::int64_t> epoch) {
  source_date_epoch = epoch;
  fixed_created.clear();
  if (epoch) fixed_created = created_text(*epoch);
  // Kaniko's --reproducible: Go's zero time.
  if (request.reproducible && !epoch) fixed_created = "0001-01-01T00:00:00Z";
  created = fixed_created.empty() ? created_text(io::seconds_now()) : fixed_created;
  now = FileTime{};
  if (epoch) {
    now.seconds = *epoch;
  } else if (!request.reproducible) {
    now.seconds = io::seconds_now();
  }
}

Session::~Session() = default;

io::Task<void> Session::stop_transfers(std::exception_ptr& failure) {
  transfers.cancel();
  try {
    co_await transfers.join();
  } catch (...) {
    const bool consequence = io::as_error(failure).kind() == io::ErrorKind::cancelled;
    const io::Error cause = io::as_error(std::current_exception());
    if (consequence && cause.kind() != io::ErrorKind::cancelled) failure = std::current_exception();
  }
}

io::Task<const SandboxChoice*> Session::choose_sandbox() {
  while (probing) co_await probed.wait();
  if (!sandbox) {
    probing = true;
    SandboxRequest wanted;
    wanted.wanted = request.sandbox;
    wanted.force = request.force;
    // A mode that was asked for by name looks at one directory and not at a stack of them.
    wanted.allow_overlay = request.allow_overlay &&
                           (request.snapshot_mode == SnapshotMode::automatic || request.snapshot_mode == SnapshotMode::overlay);
    wanted.work_directory = request.work_directory;
    std::exception_ptr failure;
    try {
      sandbox = co_await probe_sandbox(runtime, wanted);
    } catch (...) {
      failure = std::current_exception();
    }
    probing = false;
    probed.notify_all();
    if (failure) std::rethrow_exception(failure);
    progress.message(
        fmt::format("sandbox {}{}: {}", name_of(sandbox->kind), sandbox->overlay ? " with overlay" : "", sandbox->reason));
    if (!sandbox->all_ids) {
      spdlog::warn(
          "only one user id can be used on disk here: owners are exact in the layers, but every file looks like root's to a RUN");
    }
  }
  co_return &*sandbox;
}

}  // namespace kiln::engine
