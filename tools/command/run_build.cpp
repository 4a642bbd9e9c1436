#include "tools/command/run_build.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <optional>

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "engine/build/push.hpp"
#include "io/base/error.hpp"
#include "io/file/writable.hpp"
#include "tools/command/progress.hpp"
#include "tools/command/trace.hpp"
#include "tools/command/values.hpp"
#include "tools/command/work_directory.hpp"

namespace kiln::tools {

namespace {

namespace fs = std::filesystem;

std::string own_directory() {
  std::error_code ignored;
  return fs::read_symlink("/proc/self/exe", ignored).parent_path();
}

// What people put beside a Kaniko that they have moved: the login and certificates. The program itself does not move here, and the
// image's variables name its place.
void look_in(const std::string& kaniko_directory) {
  if (const std::string logins = kaniko_directory + "/.docker"; fs::exists(logins + "/config.json")) {
    setenv("DOCKER_CONFIG", logins.c_str(), 1);
  }
  const std::string certificates = kaniko_directory + "/ssl/certs";
  const char* directories = std::getenv("SSL_CERT_DIR");
  if (directories && fs::exists(certificates)) setenv("SSL_CERT_DIR", fmt::format("{}:{}", certificates, directories).c_str(), 1);
}

// In the image: /kaniko, which a build never touches, or a volume that is mounted at /kaniko/work: it is there to be used, and
// where the root is read-only it is all there is. Elsewhere a temporary directory on a real file system.
std::vector<std::string> work_bases(const std::string& kaniko_directory, const std::string& kiln_directory) {
  if (!kaniko_directory.empty()) return {kaniko_directory};
  if (kiln_directory == "/kaniko") {
    std::vector<std::string> bases;
    struct stat own{}, volume{};
    const std::string mounted = kiln_directory + "/work";
    if (stat(kiln_directory.c_str(), &own) == 0 && stat(mounted.c_str(), &volume) == 0 && own.st_dev != volume.st_dev)
      bases.push_back(mounted);
    bases.push_back(kiln_directory);
    return bases;
  }
  if (const char* directory = std::getenv("TMPDIR")) return {directory};
  return {"/var/tmp"};
}

// As buildx does: the environment's is a build argument, unless one is given.
void take_source_date_epoch(engine::BuildRequest& request) {
  const char* variable = std::getenv("SOURCE_DATE_EPOCH");
  if (variable && *variable) request.build_args.try_emplace("SOURCE_DATE_EPOCH", variable);
}

std::string write_dockerfile(const std::string& directory, const std::string& text) {
  std::string path = directory + "/Dockerfile";
  std::ofstream file(path, std::ios::binary);
  file << text;
  file.flush();
  if (!file) throw io::Error(io::ErrorKind::filesystem, fmt::format("writing '{}' failed", path));
  return path;
}

bool is_url(const std::string& text) { return text.starts_with("http://") || text.starts_with("https://"); }

// Context and Dockerfile, where they have to be fetched or could not be looked for before.
io::Task<void> fetch_input(io::Runtime& runtime, engine::BuildRequest& request, const RunSettings& settings,
                           engine::Progress& progress) {
  io::http::ClientOptions options;
  options.user_agent = "kiln/0.1";
  io::http::Client http(runtime, std::move(options));
  if (settings.context) {
    const auto started = std::chrono::steady_clock::now();
    engine::RemoteContext context = *settings.context;
    context.authorization = engine::context_authorization(request.secrets, context.url);
    if (const auto agent = request.ssh_agents.find("default"); agent != request.ssh_agents.end()) context.ssh_agent = agent->second;
    const auto fetched = co_await engine::fetch_context(runtime, http, context, request.work_directory + "/context");
    request.context_directory = fetched.directory;
    request.context_time = fetched.time;
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - started;
    progress.message(fmt::format("context {} fetched in {:.2f} s", settings.context->url.substr(0, settings.context->url.find('#')),
                                 took.count()));
  }
  if (is_url(settings.dockerfile)) {
    request.dockerfile_path = request.work_directory + "/Dockerfile";
    co_await engine::fetch_file(runtime, http, settings.dockerfile, request.dockerfile_path);
  } else if (!settings.dockerfile.empty()) {
    const std::string below = request.context_directory + "/" + settings.dockerfile;
    request.dockerfile_path =
        find_dockerfile(settings.dockerfile_from_here ? settings.dockerfile : below, request.context_directory);
  }
}

io::Task<void> build_into(io::Runtime& runtime, engine::BuildRequest request, const RunSettings& settings,
                          engine::Progress& progress, engine::BuildResult& result) {
  if (!settings.saved_image.empty()) {
    result = co_await engine::push_saved_image(runtime, std::move(request), settings.saved_image, progress);
    co_return;
  }
  if (settings.context || !settings.dockerfile.empty()) co_await fetch_input(runtime, request, settings, progress);
  result = co_await engine::build(runtime, std::move(request), progress);
}

// A build that fails has a trace, too.
void build_traced(io::Runtime& runtime, engine::BuildRequest request, const RunSettings& settings,
                  std::unique_ptr<engine::Progress> progress, engine::BuildResult& result) {
  TraceRecorder trace(std::move(progress));
  try {
    runtime.run(build_into(runtime, std::move(request), settings, trace, result));
  } catch (const io::Error&) {
    write_trace(trace, settings.trace_file);
    throw;
  }
  write_trace(trace, settings.trace_file);
}

}  // namespace

engine::BuildResult run_build(engine::BuildRequest request, const RunSettings& settings) {
  request.kiln_directory = own_directory();
  const bool builds = !request.dry_run && !request.cache.explain;
  request.platform_given = !request.platform.architecture.empty();
  if (!request.platform_given) request.platform = oci::host_platform();
  take_source_date_epoch(request);
  if (!settings.trace_file.empty()) io::check_writable_file(settings.trace_file);
  std::string kaniko_directory = settings.kaniko_directory;
  if (const char* variable = std::getenv("KANIKO_DIR"); variable && kaniko_directory.empty()) kaniko_directory = variable;
  kaniko_directory = absolute_path(kaniko_directory);
  if (!kaniko_directory.empty()) look_in(kaniko_directory);
  WorkDirectory work(request.work_directory.empty() ? work_bases(kaniko_directory, request.kiln_directory)
                                                    : std::vector<std::string>{request.work_directory});
  if (request.cleanup) work.delete_in_foreground();
  if (request.cache_mounts_directory.empty()) {
    request.cache_mounts_directory = fs::absolute(fs::path(work.path()).parent_path() / "kiln-cache-mounts");
  }
  request.work_directory = work.path();
  request.ignore_paths.push_back(work.path());
  if (settings.dockerfile_text) request.dockerfile_path = write_dockerfile(work.path(), *settings.dockerfile_text);
  io::RuntimeOptions options;
  options.memory_budget = settings.memory_budget;
  io::Runtime runtime(options);
  engine::BuildResult result;
  const auto started = std::chrono::steady_clock::now();
  try {
    auto progress = settings.live ? make_live_progress() : make_plain_progress();
    if (settings.trace_file.empty()) {
      runtime.run(build_into(runtime, std::move(request), settings, *progress, result));
    } else {
      build_traced(runtime, std::move(request), settings, std::move(progress), result);
    }
  } catch (const io::Error&) {
    log_failure(std::chrono::steady_clock::now() - started);
    throw;
  }
  if (builds) log_summary(result);
  return result;
}

}  // namespace kiln::tools
