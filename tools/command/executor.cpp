#include "tools/command/executor.hpp"

#include <algorithm>
#include <cstdlib>
#include <filesystem>

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "io/base/error.hpp"
#include "tools/command/flags.hpp"
#include "tools/command/logging.hpp"

namespace kiln::tools {

namespace {

namespace fs = std::filesystem;

// Flag values that are not yet what the engine takes.
struct RawFlags {
  std::string context = "/workspace/";
  std::string context_sub_path;
  std::string dockerfile = "Dockerfile";
  std::string custom_platform;
  std::string snapshot_mode;
  std::string compression;
  std::string image_format;
  std::string sandbox;
  std::string upload_chunk_size = "0";
  std::string memory_budget = "96m";
  int compression_level = -1;
  bool no_push = false;
  bool no_overlay = false;
  std::vector<std::string> build_args, labels, annotations, insecure, skip_tls, certificates, client_certificates, maps, mirrors;
};

constexpr const char* not_yet = "not supported yet in this version of kiln";

void add_build_flags(FlagSet& flags, engine::BuildRequest& request, RawFlags& raw) {
  flags.text("-c,--context", raw.context, "build context: a directory, also as dir://PATH");
  flags.text("--context-sub-path", raw.context_sub_path, "directory within the context; only with dir://");
  flags.text("-f,--dockerfile", raw.dockerfile, "Dockerfile, from here or from the context");
  flags.list("--build-arg", raw.build_args, "NAME=value, or NAME to take the variable; repeatable");
  flags.text("--target", request.target, "stage to build");
  flags.text("--custom-platform,--customPlatform", raw.custom_platform, "os/arch[/variant] of base images and result");
  flags.boolean("--single-snapshot", request.single_snapshot, "one layer a stage");
  flags.text("--snapshot-mode,--snapshotMode", raw.snapshot_mode, "full, redo or time; unset: the fastest that misses nothing");
  flags.list("--ignore-path", request.ignore_paths, "path that is left alone and kept out of layers; repeatable");
  flags.boolean("--ignore-var-run,--whitelist-var-run", request.ignore_var_run, "leave /var/run alone (default true)");
  flags.boolean("--cleanup", request.cleanup, "empty the file system at the end");
  flags.boolean("--force", request.force, "build in place outside a container");
  flags.text("--sandbox", raw.sandbox, "how RUN is executed: userns or in-place; unset: probed");
  flags.boolean("--no-overlay", raw.no_overlay, "never use overlay in the userns sandbox");
  flags.text("--work-dir", request.work_directory, "where spool and root file systems are kept while building");
  flags.text("--memory-budget", raw.memory_budget, "bytes of buffers (k, m, g)");
}

void add_output_flags(FlagSet& flags, engine::BuildRequest& request, RawFlags& raw) {
  flags.list("-d,--destination", request.destinations, "image to push to; repeatable");
  flags.boolean("--no-push", raw.no_push, "do not push (KANIKO_NO_PUSH)");
  flags.text("--tar-path,--tarPath", request.tar_path, "write a docker-save archive");
  flags.text("--oci-layout-path", request.oci_layout_path, "write an OCI layout directory");
  flags.text("--digest-file", request.digest_file, "write the manifest's digest");
  flags.text("--image-name-with-digest-file", request.image_name_with_digest_file, "write repository@digest of each destination");
  flags.text("--image-name-tag-with-digest-file", request.image_name_tag_with_digest_file, "the same with the tag");
  flags.text("--compression", raw.compression, "gzip or zstd");
  flags.integer("--compression-level", raw.compression_level, "gzip 1 to 9, zstd 1 to 22; below 1: the default");
  flags.text("--image-format", raw.image_format, "docker or oci; unset: as the base");
  flags.list("--label", raw.labels, "key=value added to the config; repeatable");
  flags.list("--annotation", raw.annotations, "key=value added to the manifest; repeatable");
  flags.boolean("--reproducible", request.reproducible, "fix all times");
}

void add_registry_flags(FlagSet& flags, engine::RegistrySettings& registries, RawFlags& raw) {
  flags.boolean("--insecure", registries.insecure_push, "allow plain http for pushing");
  flags.boolean("--insecure-pull", registries.insecure_pull, "allow plain http for pulling");
  flags.list("--insecure-registry", raw.insecure, "registry that may be reached by plain http; repeatable");
  flags.boolean("--skip-tls-verify", registries.skip_tls_verify_push, "do not check certificates");
  flags.boolean("--skip-tls-verify-pull", registries.skip_tls_verify_pull, "do not check certificates when pulling");
  flags.list("--skip-tls-verify-registry", raw.skip_tls, "registry whose certificate is not checked; repeatable");
  flags.list("--registry-certificate", raw.certificates, "host=/ca.pem; repeatable");
  flags.list("--registry-client-cert", raw.client_certificates, "host=/cert.pem,/key.pem; repeatable");
  flags.list("--registry-map", raw.maps, "registry=mirror[/prefix][;...]; repeatable (KANIKO_REGISTRY_MAP)");
  flags.list("--registry-mirror", raw.mirrors, "mirror of Docker Hub; repeatable (KANIKO_REGISTRY_MIRROR)");
  flags.boolean("--skip-default-registry-fallback", registries.no_fallback, "fail when no mirror has the image");
  flags.integer("--push-retry", registries.push_retries, "pushes tried again");
  flags.integer("--image-download-retry", registries.pull_retries, "manifest requests tried again");
  flags.boolean("--skip-push-permission-check", registries.skip_push_check, "do not check the right to push first");
  flags.text("--upload-chunk-size", raw.upload_chunk_size, "send blobs in pieces of this size (k, m, g); 0: in one");
}

void add_known_flags(FlagSet& flags) {
  flags.accepted("--use-new-run", false, "no effect: changes are found without it");
  flags.accepted("--skip-unused-stages", false, "no effect: always so");
  flags.accepted("--force-build-metadata", false, "no effect: always so");
  flags.accepted("--compressed-caching", false, "no effect: layers are never held in memory");
  flags.accepted("--image-fs-extract-retry", true, "no effect: downloads continue where they broke");
  flags.accepted("--azure-container-registry-config", true, "no effect");
  flags.refused("--cache", false, "false", not_yet);
  for (const char* name : {"--cache-repo", "--bucket", "--git", "--secret", "--kaniko-dir", "--credential-helpers"}) {
    flags.refused(name, true, "", not_yet);
  }
  flags.refused("--cache-dir", true, "/cache", not_yet);
  flags.refused("--cache-ttl", true, "336h", not_yet);
  for (const char* name : {"--cache-copy-layers", "--preserve-context", "--pre-cleanup", "--materialize", "--dryrun"}) {
    flags.refused(name, false, "false", not_yet);
  }
  flags.accepted("--cache-run-layers", false, "no effect without --cache");
  flags.accepted("--no-push-cache", false, "no effect without --cache");
}

std::string context_directory(const RawFlags& raw) {
  std::string path = raw.context;
  const auto scheme = path.find("://");
  if (scheme != std::string::npos) {
    if (!path.starts_with("dir://")) {
      throw io::Error(io::ErrorKind::unsupported, fmt::format("--context={}: {}:// contexts are not supported yet; use a directory",
                                                              raw.context, path.substr(0, scheme)));
    }
    path.erase(0, 6);
    if (!raw.context_sub_path.empty()) path += "/" + raw.context_sub_path;
  }
  return fs::absolute(path).lexically_normal();
}

// "host=/a,/b" -> host, {a, b}
void add_client_certificate(engine::RegistrySettings& registries, const std::string& text) {
  const auto [host, files] = parse_pair("--registry-client-cert", text);
  const auto comma = files.find(',');
  if (comma == std::string::npos) {
    throw io::Error(io::ErrorKind::usage, fmt::format("--registry-client-cert={}: it is written host=/cert.pem,/key.pem", text));
  }
  registries.client_certificates[host] = {files.substr(0, comma), files.substr(comma + 1)};
}

void add_registry_map(engine::RegistrySettings& registries, const std::string& text) {
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find(';', at), text.size());
    const std::string part = text.substr(at, end - at);
    at = end + 1;
    if (part.empty()) continue;
    const auto [from, to] = parse_pair("--registry-map", part);
    registries.mirrors[from].push_back(to);
  }
}

void resolve_registries(engine::RegistrySettings& registries, RawFlags& raw) {
  registries.insecure.insert(raw.insecure.begin(), raw.insecure.end());
  registries.skip_tls_verify.insert(raw.skip_tls.begin(), raw.skip_tls.end());
  for (const auto& text : raw.certificates) {
    const auto [host, file] = parse_pair("--registry-certificate", text);
    registries.certificates[host] = file;
  }
  for (const auto& text : raw.client_certificates) add_client_certificate(registries, text);
  if (const char* more = std::getenv("KANIKO_REGISTRY_MAP")) raw.maps.emplace_back(more);
  if (const char* more = std::getenv("KANIKO_REGISTRY_MIRROR")) raw.mirrors.emplace_back(more);
  for (const auto& text : raw.maps) add_registry_map(registries, text);
  for (const auto& mirror : raw.mirrors) registries.mirrors["index.docker.io"].push_back(mirror);
  registries.upload_chunk_size = parse_size("--upload-chunk-size", raw.upload_chunk_size);
}

template <class Value>
Value choose(const char* flag, const std::string& text, const std::vector<std::pair<std::string, Value>>& values) {
  std::string names;
  for (const auto& [name, value] : values) {
    if (text == name) return value;
    names += (names.empty() ? "" : ", ") + name;
  }
  throw io::Error(io::ErrorKind::usage, fmt::format("{}={}: it is one of {}", flag, text, names));
}

void resolve_choices(engine::BuildRequest& request, const RawFlags& raw) {
  using engine::SnapshotMode;
  if (!raw.snapshot_mode.empty()) {
    request.snapshot_mode =
        choose<SnapshotMode>("--snapshot-mode", raw.snapshot_mode,
                             {{"full", SnapshotMode::full}, {"redo", SnapshotMode::redo}, {"time", SnapshotMode::time}});
  }
  if (!raw.compression.empty()) {
    request.compression.compression = choose<io::Compression>("--compression", raw.compression,
                                                              {{"gzip", io::Compression::gzip}, {"zstd", io::Compression::zstd}});
  }
  request.compression.level = raw.compression_level;
  if (!raw.image_format.empty()) {
    request.format = choose<oci::ImageFormat>("--image-format", raw.image_format,
                                              {{"docker", oci::ImageFormat::docker}, {"oci", oci::ImageFormat::oci}});
  }
  if (!raw.sandbox.empty()) {
    request.sandbox = choose<engine::SandboxKind>(
        "--sandbox", raw.sandbox, {{"userns", engine::SandboxKind::userns}, {"in-place", engine::SandboxKind::in_place}});
  }
  request.allow_overlay = !raw.no_overlay;
  if (!raw.custom_platform.empty()) request.platform = oci::parse_platform(raw.custom_platform);
}

void resolve(ExecutorCommand& command, RawFlags& raw) {
  engine::BuildRequest& request = command.request;
  if (const char* variable = std::getenv("KANIKO_NO_PUSH"))
    raw.no_push = std::string(variable) == "true" || std::string(variable) == "1";
  request.push = !raw.no_push;
  request.context_directory = context_directory(raw);
  request.dockerfile_path = find_dockerfile(raw.dockerfile, request.context_directory);
  for (const auto& text : raw.build_args) add_build_arg(request, text);
  for (const auto& text : raw.labels)
    request.labels.insert_or_assign(parse_pair("--label", text).first, parse_pair("--label", text).second);
  for (const auto& text : raw.annotations) {
    request.annotations.insert_or_assign(parse_pair("--annotation", text).first, parse_pair("--annotation", text).second);
  }
  resolve_registries(request.registries, raw);
  resolve_choices(request, raw);
  command.run.memory_budget = parse_size("--memory-budget", raw.memory_budget);
  if (request.push && request.destinations.empty()) {
    throw io::Error(io::ErrorKind::usage, "no --destination: name where to push the image, or use --no-push");
  }
}

}  // namespace

ExecutorCommand parse_executor(const std::vector<std::string>& arguments) {
  ExecutorCommand command;
  RawFlags raw;
  if (!arguments.empty() && arguments.front() == "version") {
    command.version = true;
    return command;
  }
  FlagSet flags("Builds a container image from a Dockerfile and pushes it. Takes the flags of Kaniko's executor.", "executor");
  add_build_flags(flags, command.request, raw);
  add_output_flags(flags, command.request, raw);
  add_registry_flags(flags, command.request.registries, raw);
  add_known_flags(flags);
  flags.text("-v,--verbosity", command.verbosity, "trace, debug, info, warn, error, fatal or panic");
  flags.text("--log-format", command.log_format, "text, color or json");
  flags.boolean("--log-timestamp", command.log_timestamp, "full timestamps in log lines");
  if (!flags.parse(arguments)) {
    command.version = true;
    command.verbosity.clear();
    return command;
  }
  resolve(command, raw);
  return command;
}

int executor_main(int argc, char** argv) {
  const ExecutorCommand command = parse_executor({argv + 1, argv + argc});
  if (command.version) {
    if (!command.verbosity.empty()) fmt::print("Kaniko version :  kiln v0.1.0\n");
    return 0;
  }
  set_up_logging(command.verbosity, command.log_format, command.log_timestamp);
  run_build(command.request, command.run);
  return 0;
}

}  // namespace kiln::tools
