#include "tools/command/kiln.hpp"

#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <spdlog/spdlog.h>

#include "engine/dockerfile/suggest.hpp"
#include "io/base/error.hpp"
#include "io/file/writable.hpp"
#include "oci/image/reference.hpp"
#include "tools/command/bench.hpp"
#include "tools/command/cache.hpp"
#include "tools/command/cache_place.hpp"
#include "tools/command/check.hpp"
#include "tools/command/explain.hpp"
#include "tools/command/flags.hpp"
#include "tools/command/kiln_flags.hpp"
#include "tools/command/logging.hpp"
#include "tools/command/plan.hpp"
#include "tools/command/secrets.hpp"
#include "tools/command/values.hpp"

namespace kiln::tools {

namespace {

namespace fs = std::filesystem;

// The fields of one --output (docker buildx build, Set the export action).
struct Output {
  std::string type;
  std::string destination;
  std::vector<std::string> names;
  std::string compression;
  int level = -1;
  bool archive = true;  // tar=true
  bool push = false;
};

Output parse_output(const std::string& text, engine::BuildRequest& request) {
  Output output;
  for (const auto& field : split_csv("--output", text)) {
    if (field.find('=') == std::string::npos)
      usage_error(
          fmt::format("--output={}: files of the root file system are not written yet; type=docker, oci, registry or image", text));
    const auto [key, value] = parse_pair("--output", field);
    if (key == "type") {
      output.type = value;
    } else if (key == "dest") {
      output.destination = value;
    } else if (key == "name") {
      output.names = split_csv("--output", value);
    } else if (key == "push") {
      output.push = parse_boolean("--output: push", value);
    } else if (key == "tar") {
      output.archive = parse_boolean("--output: tar", value);
    } else if (key == "compression") {
      output.compression = value;
    } else if (key == "compression-level") {
      output.level = static_cast<int>(parse_size("--output: compression-level", value));
    } else if (key == "oci-mediatypes") {
      request.format = parse_boolean("--output: oci-mediatypes", value) ? oci::ImageFormat::oci : oci::ImageFormat::docker;
    } else if (key == "rewrite-timestamp") {
      request.rewrite_timestamp = parse_boolean("--output: rewrite-timestamp", value);
    } else if (key.starts_with("annotation.")) {
      request.annotations[key.substr(11)] = value;
    } else {
      usage_error(fmt::format("--output={}: unknown key '{}'", text, key));
    }
  }
  return output;
}

void add_output(engine::BuildRequest& request, const std::string& text) {
  const Output output = parse_output(text, request);
  request.destinations.insert(request.destinations.end(), output.names.begin(), output.names.end());
  if (!output.compression.empty() || output.level > 0) request.compression = parse_compression(output.compression, output.level);
  if (output.type == "registry" || (output.type == "image" && output.push)) {
    request.push = true;
    return;
  }
  if (output.type == "image") usage_error(fmt::format("--output={}: the image goes nowhere without push=true", text));
  if (output.type != "docker" && output.type != "oci" && output.type != "oci-layout") {
    usage_error(fmt::format("--output={}: the type is docker, oci, registry or image", text));
  }
  if (output.destination.empty() || output.destination == "-") usage_error(fmt::format("--output={}: dest=PATH is missing", text));
  if (output.type == "docker") {
    request.tar_path = absolute_path(output.destination);
  } else if (output.type == "oci-layout" || !output.archive) {
    request.oci_layout_path = absolute_path(output.destination);
  } else {
    request.oci_archive_path = absolute_path(output.destination);
  }
}

// The context as docker names it: a directory, - for an archive on standard input, a URL of an archive or a repository.
void resolve_context(BuildCommand& command, const std::string& context, const std::string& file) {
  engine::BuildRequest& request = command.request;
  const std::string url = context == "-" ? "tar://stdin" : context;
  if (file == "-") {
    if (context == "-") usage_error("context and Dockerfile cannot both come from standard input");
    command.run.dockerfile_text = std::string(std::istreambuf_iterator<char>(std::cin), {});
  }
  if (engine::is_remote_context(url)) {
    command.run.context = engine::RemoteContext{url, "", {}};
    // REPOSITORY#REF:DIRECTORY
    const auto colon = url.find('#') == std::string::npos ? std::string::npos : url.find(':', url.find('#'));
    if (colon != std::string::npos) command.run.context = engine::RemoteContext{url.substr(0, colon), url.substr(colon + 1), {}};
    if (file != "-") command.run.dockerfile = file.empty() ? "Dockerfile" : file;
    command.run.dockerfile_from_here = false;
    return;
  }
  request.context_directory = fs::absolute(context).lexically_normal();
  if (!fs::is_directory(request.context_directory)) usage_error(fmt::format("context '{}' is no directory", context));
  if (file == "-") return;
  if (file.find("://") != std::string::npos) {
    command.run.dockerfile = file;
    return;
  }
  // Beside the context unless named, as docker does.
  request.dockerfile_path =
      find_dockerfile(file.empty() ? request.context_directory + "/Dockerfile" : file, request.context_directory);
}

// Beside the base images, else in the user's own cache (XDG Base Directory Specification); empty: there is neither.
std::string file_memory_path(const std::string& cache_directory) {
  if (!cache_directory.empty()) return cache_directory + "/kiln-context-files";
  const char* caches = std::getenv("XDG_CACHE_HOME");
  if (caches && *caches == '/') return std::string(caches) + "/kiln/context-files";
  const char* home = std::getenv("HOME");
  return home && *home == '/' ? std::string(home) + "/.cache/kiln/context-files" : "";
}

void resolve_request(BuildCommand& command, const ParsedFlags& flags) {
  engine::BuildRequest& request = command.request;
  resolve_context(command, flags.arguments.front(), flags.text("file"));
  request.destinations = flags.list("tag");
  request.push = flags.boolean("push");
  request.target = flags.text("target");
  request.compression = parse_compression(flags.text("compression"), flags.integer("compression-level"));
  request.format = parse_image_format("--image-format", flags.text("image-format"));
  for (const auto& text : flags.list("output")) add_output(request, text);
  for (const auto& text : flags.list("build-arg")) add_build_arg(request, text);
  for (const auto& text : flags.list("build-context")) add_named_context(request, text);
  for (const auto& text : flags.list("secret")) add_secret(request, text);
  for (const auto& text : flags.list("ssh")) add_ssh_agent(request, text);
  if (const std::string directory = flags.text("cache-dir"); !directory.empty()) {
    request.cache.directory = fs::absolute(directory).lexically_normal();
    request.cache.keep_base_images = true;
    request.cache_mounts_directory = request.cache.directory + "/kiln-cache-mounts";
  }
  request.cache.file_memory = file_memory_path(request.cache.directory);
  for (const auto& text : flags.list("label"))
    request.labels.insert_or_assign(parse_pair("--label", text).first, parse_pair("--label", text).second);
  for (const auto& text : flags.list("annotation")) {
    request.annotations.insert_or_assign(parse_pair("--annotation", text).first, parse_pair("--annotation", text).second);
  }
  if (const std::string platform = flags.text("platform"); !platform.empty()) {
    if (platform.find(',') != std::string::npos) usage_error(fmt::format("--platform={}: a build is for one platform", platform));
    request.platform = oci::parse_platform(platform);
  }
  request.digest_file = absolute_path(flags.text("digest-file"));
  request.reproducible = flags.boolean("reproducible");
  request.snapshot_mode = parse_snapshot_mode(flags.text("snapshot-mode"));
  request.sandbox = parse_sandbox(flags.text("sandbox"));
  request.work_directory = absolute_path(flags.text("work-dir"));
  resolve_registries(request.registries, flags);
  resolve_docker_cache(request.cache, flags);
  request.cache.limit = parse_size("--cache-limit", flags.text("cache-limit"));
  resolve_cache_mounts(request, flags);
  if (request.push && request.destinations.empty()) usage_error("--push needs a name: -t NAME");
}

void resolve_log(BuildCommand& command, const ParsedFlags& flags) {
  const bool terminal = isatty(STDERR_FILENO) == 1;
  const std::string progress = flags.text("progress");
  command.quiet = flags.boolean("quiet") || progress == "quiet";
  command.log = log_settings(flags);
  if (command.quiet) command.log.level = "error";
  if (command.log.format.empty()) command.log.format = progress == "rawjson" ? "json" : terminal ? "color" : "text";
  if (progress != "auto" && progress != "plain" && progress != "tty" && progress != "rawjson" && progress != "quiet") {
    usage_error(fmt::format("--progress={}: it is auto, plain, tty, rawjson or quiet", progress));
  }
  command.run.live = !command.quiet && (progress == "tty" || (progress == "auto" && terminal && command.log.format != "json"));
}

void write_file(const std::string& flag, const std::string& path, const std::string& text) {
  std::ofstream file(path, std::ios::trunc | std::ios::binary);
  file << text;
  file.flush();
  if (!file) throw io::Error(io::ErrorKind::filesystem, fmt::format("{}={}: it cannot be written", flag, path));
}

// The keys that buildx writes.
std::string metadata_of(const BuildCommand& command, const engine::BuildResult& result) {
  nlohmann::ordered_json metadata;
  metadata["containerimage.config.digest"] = result.config_digest.text();
  metadata["containerimage.descriptor"] = {
      {"mediaType", result.media_type}, {"digest", result.manifest_digest.text()}, {"size", result.manifest_size}};
  metadata["containerimage.digest"] = result.manifest_digest.text();
  std::string names;
  for (const auto& text : command.request.destinations) names += (names.empty() ? "" : ",") + oci::parse_reference(text).text();
  if (!names.empty()) metadata["image.name"] = names;
  return metadata.dump(2) + "\n";
}

int build_main(const std::vector<std::string>& arguments) {
  const BuildCommand command = parse_build(arguments);
  if (command.help) {
    fmt::print("Builds an image from a Dockerfile.\n\nUsage: kiln build [flags] CONTEXT\n\nFlags:\n{}", flag_help(build_flags()));
    return 0;
  }
  set_up_logging(command.log);
  for (const auto& warning : command.warnings) spdlog::warn("{}", warning);
  const engine::BuildRequest& request = command.request;
  const bool kept =
      request.push || !request.tar_path.empty() || !request.oci_archive_path.empty() || !request.oci_layout_path.empty();
  if (!kept) spdlog::warn("the image is kept nowhere: use --push, or --output type=docker,dest=FILE");
  for (const auto& path : {command.id_file, command.metadata_file}) {
    if (!path.empty()) io::check_writable_file(path);
  }
  const engine::BuildResult result = run_build(request, command.run);
  if (!command.id_file.empty()) write_file("--iidfile", command.id_file, result.config_digest.text());
  if (!command.metadata_file.empty()) write_file("--metadata-file", command.metadata_file, metadata_of(command, result));
  fmt::print("{}\n", command.quiet ? result.config_digest.text() : result.manifest_digest.text());
  return 0;
}

constexpr const char* commands_help =
    "kiln builds container images inside an ordinary pod.\n\n"
    "  kiln build [flags] CONTEXT   build an image from a Dockerfile; kiln build --help lists the flags\n"
    "  kiln check [flags] CONTEXT   check a Dockerfile without building; kiln check --help lists the flags\n"
    "  kiln plan [flags] CONTEXT    show what a build would do and fetch; kiln plan --help lists the flags\n"
    "  kiln bench NAME              measure on this machine: snapshot strategies, unpacking, writing of layers\n"
    "  kiln cache list|prune PLACE  what a layer cache or a directory of base images holds; kiln cache --help lists the flags\n"
    "  kiln cache explain CONTEXT   what a build would find in the cache, and why not the rest; with --help: the flags\n"
    "  kiln version                 print the version\n";

}  // namespace

BuildCommand parse_build(const std::vector<std::string>& arguments) { return parse_build(arguments, build_flags()); }

BuildCommand parse_build(const std::vector<std::string>& arguments, std::span<const Flag> table) {
  BuildCommand command;
  const ParsedFlags flags = parse_flags(table, arguments);
  command.help = flags.help;
  if (command.help) return command;
  if (flags.arguments.size() != 1) usage_error(fmt::format("kiln build wants one CONTEXT; there are {}", flags.arguments.size()));
  command.warnings = flags.warnings;
  resolve_request(command, flags);
  resolve_log(command, flags);
  command.run.trace_file = absolute_path(flags.text("trace-file"));
  command.run.memory_budget = parse_size("--memory-budget", flags.text("memory-budget"));
  command.id_file = absolute_path(flags.text("iidfile"));
  command.metadata_file = absolute_path(flags.text("metadata-file"));
  return command;
}

int kiln_main(int argc, char** argv) {
  const std::vector<std::string> arguments(argv + 1, argv + argc);
  const std::string name = arguments.empty() ? "" : arguments.front();
  const std::vector<std::string> rest(arguments.begin() + (arguments.empty() ? 0 : 1), arguments.end());
  if (name == "build") return build_main(rest);
  if (name == "check") return check_main(rest);
  if (name == "plan") return plan_main(rest);
  if (name == "bench") return bench_main(rest);
  if (name == "cache" && !rest.empty() && rest.front() == "explain") return explain_main({rest.begin() + 1, rest.end()});
  if (name == "cache") return cache_main(rest);
  if (name == "version" || name == "--version") {
    fmt::print("kiln v0.1.0\n");
    return 0;
  }
  if (name.empty() || name == "--help" || name == "-h" || name == "help") {
    fmt::print("{}", commands_help);
    return name.empty() ? 1 : 0;
  }
  usage_error(fmt::format("unknown command '{}'{}: kiln build, kiln check, kiln plan, kiln bench, kiln cache, kiln version", name,
                          engine::dockerfile::did_you_mean(name, {"build", "check", "plan", "bench", "cache", "version"})));
}

}  // namespace kiln::tools
