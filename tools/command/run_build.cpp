#include "tools/command/run_build.hpp"

#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstdlib>
#include <filesystem>
#include <optional>

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "io/base/error.hpp"
#include "tools/command/progress.hpp"
#include "tools/command/work_directory.hpp"

namespace kiln::tools {

namespace {

namespace fs = std::filesystem;

std::string own_directory() {
  std::error_code ignored;
  return fs::read_symlink("/proc/self/exe", ignored).parent_path();
}

// In the image: /kaniko, which a build never touches. Elsewhere a temporary directory on a real file system.
std::string work_base(const std::string& kiln_directory) {
  if (const char* directory = std::getenv("KANIKO_DIR")) return directory;
  if (kiln_directory == "/kaniko") return kiln_directory;
  if (const char* directory = std::getenv("TMPDIR")) return directory;
  return "/var/tmp";
}

std::optional<std::int64_t> source_date_epoch(const engine::BuildRequest& request) {
  std::string text;
  const auto argument = request.build_args.find("SOURCE_DATE_EPOCH");
  if (argument != request.build_args.end()) {
    text = argument->second.value_or("");
  } else if (const char* variable = std::getenv("SOURCE_DATE_EPOCH")) {
    text = variable;
  }
  if (text.empty()) return std::nullopt;
  std::int64_t seconds = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), seconds);
  if (error != std::errc() || end != text.data() + text.size() || seconds < 0) {
    throw io::Error(io::ErrorKind::usage, fmt::format("SOURCE_DATE_EPOCH={}: it is a number of seconds", text));
  }
  return seconds;
}

io::Task<void> build_into(io::Runtime& runtime, engine::BuildRequest request, engine::Progress& progress,
                          engine::BuildResult& result) {
  result = co_await engine::build(runtime, std::move(request), progress);
}

}  // namespace

engine::BuildResult run_build(engine::BuildRequest request, const RunSettings& settings) {
  request.kiln_directory = own_directory();
  if (request.platform.architecture.empty()) request.platform = oci::host_platform();
  if (!request.source_date_epoch) request.source_date_epoch = source_date_epoch(request);
  WorkDirectory work(request.work_directory.empty() ? work_base(request.kiln_directory) : request.work_directory);
  request.work_directory = work.path();
  request.ignore_paths.push_back(work.path());
  io::RuntimeOptions options;
  options.memory_budget = settings.memory_budget;
  io::Runtime runtime(options);
  engine::BuildResult result;
  {
    const auto progress = settings.live ? make_live_progress() : make_plain_progress();
    runtime.run(build_into(runtime, std::move(request), *progress, result));
  }
  log_summary(result);
  return result;
}

std::uint64_t parse_size(const std::string& flag, const std::string& text) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  std::string unit(end, text.data() + text.size());
  unsigned shift = 0;
  if (unit == "k" || unit == "K") shift = 10;
  if (unit == "m" || unit == "M") shift = 20;
  if (unit == "g" || unit == "G") shift = 30;
  if (error != std::errc() || (!unit.empty() && shift == 0) || value > (UINT64_MAX >> 32U)) {
    throw io::Error(io::ErrorKind::usage,
                    fmt::format("{}={}: it is a number of bytes, with k, m or g for 1024, 1024^2, 1024^3", flag, text));
  }
  return value << shift;
}

void add_build_arg(engine::BuildRequest& request, const std::string& text) {
  const auto equals = text.find('=');
  const std::string name = text.substr(0, equals);
  if (name.empty()) throw io::Error(io::ErrorKind::usage, fmt::format("--build-arg={}: it is NAME=value or NAME", text));
  if (equals != std::string::npos) {
    request.build_args[name] = text.substr(equals + 1);
    return;
  }
  const char* value = std::getenv(name.c_str());
  request.build_args[name] = value ? value : "";
}

std::pair<std::string, std::string> parse_pair(const std::string& flag, const std::string& text) {
  const auto equals = text.find('=');
  if (equals == std::string::npos || equals == 0) {
    throw io::Error(io::ErrorKind::usage, fmt::format("{}={}: it is written key=value", flag, text));
  }
  return {text.substr(0, equals), text.substr(equals + 1)};
}

std::string find_dockerfile(const std::string& path, const std::string& context) {
  std::error_code ignored;
  if (path.find("://") != std::string::npos) {
    throw io::Error(io::ErrorKind::unsupported, fmt::format("--dockerfile={}: Dockerfiles from a URL are not supported yet", path));
  }
  if (fs::exists(path, ignored)) return fs::absolute(path);
  const std::string below = context + "/" + path;
  if (!context.empty() && fs::exists(below, ignored)) return fs::absolute(below);
  throw io::Error(io::ErrorKind::usage, fmt::format("Dockerfile '{}' is neither in {} nor in the context {}", path,
                                                    fs::current_path(ignored).string(), context.empty() ? "(none)" : context));
}

}  // namespace kiln::tools
