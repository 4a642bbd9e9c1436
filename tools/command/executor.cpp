#include "tools/command/executor.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "engine/cache/store.hpp"
#include "tools/command/executor_flags.hpp"
#include "tools/command/explain.hpp"
#include "tools/command/flags.hpp"
#include "tools/command/logging.hpp"
#include "tools/command/login.hpp"
#include "tools/command/push.hpp"
#include "tools/command/secrets.hpp"
#include "tools/command/values.hpp"

namespace kiln::tools {

namespace {

namespace fs = std::filesystem;

// A variable that is set overrides its flag.
bool switched(const ParsedFlags& flags, const char* flag, const char* variable) {
  const char* value = std::getenv(variable);
  return value && *value ? parse_boolean(variable, value) : flags.boolean(flag);
}

// A directory that was not asked for may be missing: a Dockerfile that copies nothing needs none.
std::string local_context(const ParsedFlags& flags, const std::string& path) {
  const std::string directory = absolute_path(path);
  struct stat status{};
  if (stat(directory.c_str(), &status) != 0) {
    if (!flags.given("context") && errno == ENOENT) return "";
    usage_error(fmt::format("--context={}: {}", flags.text("context"), std::strerror(errno)));
  }
  if (!S_ISDIR(status.st_mode)) {
    usage_error(fmt::format("--context={}: it is no directory; an archive is given as tar://PATH", path));
  }
  return directory;
}

// A directory is looked into at once; what has to be fetched waits until the build runs.
void resolve_context(ExecutorCommand& command, const ParsedFlags& flags) {
  engine::BuildRequest& request = command.request;
  std::string path = flags.text("context");
  if (const std::string bucket = flags.text("bucket"); !bucket.empty()) {
    if (flags.given("context") && !path.empty()) {
      usage_error(fmt::format("--bucket={}: --context={} says where the context is", bucket, path));
    }
    path = bucket.find("://") == std::string::npos ? "gs://" + bucket : bucket;
  }
  if (path.empty()) usage_error("--context is empty: name a directory or a URL, or a --bucket");
  const std::string below = flags.text("context-sub-path");
  command.run.dockerfile = flags.text("dockerfile");
  std::map<std::string, std::string> git_options;
  for (const auto& text : flags.list("git")) {
    const auto [key, value] = parse_pair("--git", text);
    engine::check_git_option(key, value);
    git_options[key] = value;
  }
  if (engine::is_remote_context(path)) {
    command.run.context = engine::RemoteContext{path, below, std::move(git_options)};
    return;
  }
  if (path.starts_with("dir://")) {
    path.erase(0, 6);
    if (!below.empty()) path += "/" + below;
  } else if (!below.empty()) {
    command.warnings.push_back(
        fmt::format("--context-sub-path={} has no effect, as with Kaniko, on a --context without a scheme: "
                    "write dir://{}",
                    below, path));
  }
  request.context_directory = local_context(flags, path);
  if (command.run.dockerfile.find("://") != std::string::npos) return;
  request.dockerfile_path = find_dockerfile(std::exchange(command.run.dockerfile, {}), request.context_directory);
}

void resolve_input(ExecutorCommand& command, const ParsedFlags& flags) {
  engine::BuildRequest& request = command.request;
  resolve_context(command, flags);
  for (const auto& text : flags.list("build-arg")) add_build_arg(request, text);
  for (const auto& text : flags.list("build-context")) add_named_context(request, text);
  for (const auto& text : flags.list("secret")) add_secret(request, text);
  for (const auto& text : flags.list("ssh")) add_ssh_agent(request, text);
  if (flags.given("cache-dir")) request.cache_mounts_directory = absolute_path(flags.text("cache-dir") + "/kiln-cache-mounts");
  request.more_targets = flags.list("target");
  if (!request.more_targets.empty()) {
    request.target = std::move(request.more_targets.front());
    request.more_targets.erase(request.more_targets.begin());
  }
  if (const std::string platform = flags.text("custom-platform"); !platform.empty())
    request.platform = oci::parse_platform(platform);
}

void resolve_output(engine::BuildRequest& request, const ParsedFlags& flags) {
  resolve_destinations(request, flags);
  request.dry_run = flags.boolean("dryrun");
  request.push = !request.dry_run && !switched(flags, "no-push", "KANIKO_NO_PUSH");
  request.tar_path = absolute_path(flags.text("tar-path"));
  request.oci_layout_path = absolute_path(flags.text("oci-layout-path"));
  resolve_digest_files(request, flags);
  if (const char* output = std::getenv("BUILDER_OUTPUT"); output && request.push) request.builder_output = absolute_path(output);
  for (const auto& text : flags.list("label"))
    request.labels.insert_or_assign(parse_pair("--label", text).first, parse_pair("--label", text).second);
  for (const auto& text : flags.list("annotation")) {
    request.annotations.insert_or_assign(parse_pair("--annotation", text).first, parse_pair("--annotation", text).second);
  }
  request.reproducible = flags.boolean("reproducible");
  request.rewrite_timestamp = flags.boolean("rewrite-timestamp");
  request.compression = parse_compression(flags.text("compression"), flags.integer("compression-level"));
  request.format = parse_image_format("--image-format", flags.text("image-format"));
  if (const char* oci = std::getenv("FF_KANIKO_OCI_SCRATCH_BASE");
      oci && *oci && parse_boolean("FF_KANIKO_OCI_SCRATCH_BASE", oci)) {
    request.scratch_format = oci::ImageFormat::oci;
  }
  if (request.format == oci::ImageFormat::docker && request.compression.compression == io::Compression::zstd) {
    usage_error("--compression=zstd: an image of --image-format=docker cannot have zstd layers");
  }
  if (request.push && request.destinations.empty()) {
    usage_error("no --destination: name where to push the image, or use --no-push");
  }
}

// Only a build in place leaves files in "/".
void require_in_place(engine::BuildRequest& request) {
  if (request.sandbox.value_or(engine::SandboxKind::in_place) != engine::SandboxKind::in_place) {
    usage_error("--materialize leaves the image's files in '/', which --sandbox=userns never touches");
  }
  if (request.cleanup || request.preserve_context || !request.more_targets.empty()) {
    usage_error("--materialize leaves the image's files in '/': not with --cleanup, --preserve-context or a second --target");
  }
  request.sandbox = engine::SandboxKind::in_place;
}

void resolve_how(engine::BuildRequest& request, const ParsedFlags& flags) {
  request.single_snapshot = flags.boolean("single-snapshot");
  request.snapshot_mode = parse_snapshot_mode(flags.text("snapshot-mode"));
  request.sandbox = parse_sandbox(flags.text("sandbox"));
  request.allow_overlay = !flags.boolean("no-overlay");
  request.ignore_paths = flags.list("ignore-path");
  request.ignore_var_run = flags.boolean("ignore-var-run");
  request.pre_cleanup = switched(flags, "pre-cleanup", "KANIKO_PRE_CLEANUP");
  request.cleanup = switched(flags, "cleanup", "KANIKO_CLEANUP");
  request.preserve_context = switched(flags, "preserve-context", "KANIKO_PRESERVE_CONTEXT");
  request.force = flags.boolean("force");
  request.materialize = flags.boolean("materialize");
  if (request.materialize) require_in_place(request);
  request.work_directory = absolute_path(flags.text("work-dir"));
  const char* print = std::getenv("KANIKO_PRINT_PLAN");
  request.print_plan = print && *print && parse_boolean("KANIKO_PRINT_PLAN", print);
}

void resolve_cache(ExecutorCommand& command, const ParsedFlags& flags) {
  engine::BuildRequest& request = command.request;
  engine::CacheSettings& cache = request.cache;
  cache.enabled = flags.boolean("cache");
  cache.repository = flags.text("cache-repo");
  if (const auto layout = engine::layout_directory(cache.repository)) cache.repository = "oci:" + *layout;
  cache.run_layers = flags.boolean("cache-run-layers");
  cache.write = !flags.boolean("no-push-cache");
  if (cache.enabled && cache.repository.empty() && request.destinations.empty()) {
    usage_error("--cache: without a --destination to keep the cache beside it needs --cache-repo");
  }
  command.explain = flags.text("explain-cache");
  if (!command.explain.empty()) {
    if (command.explain != "text" && command.explain != "json") {
      usage_error(fmt::format("--explain-cache={}: it is text or json", command.explain));
    }
    if (!cache.enabled) usage_error("--explain-cache tells of --cache, which is not given");
    cache.explain = true;
    cache.write = request.push = false;
  }
  cache.ttl = parse_ttl(flags);
  cache.limit = parse_size("--cache-limit", flags.text("cache-limit"));
  const std::string directory = flags.text("cache-dir");
  if (!cache.enabled || directory.empty()) return;
  cache.directory = absolute_path(directory);
  // The default's path is not made.
  if (flags.given("cache-dir") || fs::is_directory(cache.directory)) cache.file_memory = cache.directory + "/kiln-context-files";
}

}  // namespace

ExecutorCommand parse_executor(const std::vector<std::string>& arguments) {
  ExecutorCommand command;
  if (!arguments.empty() && arguments.front() == "version") {
    command.version = true;
    return command;
  }
  const ParsedFlags flags = parse_flags(executor_flags(), arguments);
  if (flags.boolean("help-table")) command.text = executor_markdown();
  if (flags.help) {
    command.text =
        "Builds a container image from a Dockerfile and pushes it. Takes the command line of Kaniko's executor.\n\n"
        "Usage: executor [flags], executor push [flags] PATH, executor login [flags] REGISTRY, executor version\n\nFlags:\n" +
        flag_help(executor_flags());
  }
  if (!command.text.empty()) return command;
  if (!flags.arguments.empty()) {
    usage_error(fmt::format("unexpected argument '{}': the executor takes flags only", flags.arguments.front()));
  }
  command.log = log_settings(flags);
  command.warnings = flags.warnings;
  for (auto& warning : check_environment(own_environment())) command.warnings.push_back(std::move(warning));
  resolve_input(command, flags);
  resolve_output(command.request, flags);
  resolve_how(command.request, flags);
  resolve_cache(command, flags);
  resolve_cache_mounts(command.request, flags);
  resolve_registries(command.request.registries, flags);
  command.run.trace_file = absolute_path(flags.text("trace-file"));
  command.run.memory_budget = parse_size("--memory-budget", flags.text("memory-budget"));
  command.run.kaniko_directory = flags.text("kaniko-dir");
  return command;
}

int executor_main(int argc, char** argv) {
  if (argc > 1 && std::string_view(argv[1]) == "login") return login_main({argv + 2, argv + argc});
  if (argc > 1 && std::string_view(argv[1]) == "push") return push_main({argv + 2, argv + argc});
  const ExecutorCommand command = parse_executor({argv + 1, argv + argc});
  if (command.version) {
    fmt::print("Kaniko version :  kiln v0.1.0\n");
    return 0;
  }
  if (!command.text.empty()) {
    fmt::print("{}", command.text);
    return 0;
  }
  set_up_logging(command.log);
  for (const auto& warning : command.warnings) spdlog::warn("{}", warning);
  const engine::BuildResult result = run_build(command.request, command.run);
  if (!command.explain.empty()) print_report(result.cache_report, command.explain == "json");
  return 0;
}

}  // namespace kiln::tools
