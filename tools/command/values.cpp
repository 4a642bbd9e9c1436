#include "tools/command/values.hpp"

#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>

#include <fmt/format.h>

#include "engine/dockerfile/durations.hpp"
#include "engine/steps/git_reference.hpp"
#include "io/base/error.hpp"
#include "oci/image/reference.hpp"
#include "tools/command/flags.hpp"

namespace kiln::tools {

namespace {

namespace fs = std::filesystem;

template <class Value>
Value choose(const std::string& flag, const std::string& text, const std::vector<std::pair<std::string, Value>>& values) {
  std::string names;
  for (const auto& [name, value] : values) {
    if (text == name) return value;
    names += (names.empty() ? "" : ", ") + name;
  }
  usage_error(fmt::format("{}={}: it is one of {}", flag, text, names));
}

// A registry's host, and what may follow it, as a flag has it. Kaniko wants it without a scheme and takes "http:" for the host
// otherwise; here it is understood, and http:// counts as --insecure-registry.
std::string take_host(engine::RegistrySettings& registries, const std::string& flag, const std::string& text) {
  const auto end = text.find("://");
  const std::string scheme = end == std::string::npos ? "" : text.substr(0, end);
  if (!scheme.empty() && scheme != "http" && scheme != "https") {
    usage_error(fmt::format("{}={}: a registry is written HOST[:PORT], without a scheme", flag, text));
  }
  std::string host = end == std::string::npos ? text : text.substr(end + 3);
  while (host.ends_with('/')) host.pop_back();
  if (host.empty() || host.front() == '/') {
    usage_error(fmt::format("{}={}: a host is missing", flag, text));
  }
  if (scheme == "http") registries.insecure.insert(host.substr(0, host.find('/')));
  return host;
}

// "host=/a,/b" -> host, {a, b}
void add_client_certificate(engine::RegistrySettings& registries, const std::string& text) {
  const auto [host, files] = parse_pair("--registry-client-cert", text);
  const auto comma = files.find(',');
  if (comma == std::string::npos) {
    usage_error(fmt::format("--registry-client-cert={}: it is written host=/cert.pem,/key.pem", text));
  }
  registries.client_certificates[take_host(registries, "--registry-client-cert", host)] = {files.substr(0, comma),
                                                                                           files.substr(comma + 1)};
}

void add_registry_map(engine::RegistrySettings& registries, const std::string& text) {
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find(';', at), text.size());
    const std::string part = text.substr(at, end - at);
    at = end + 1;
    if (part.empty()) continue;
    const auto [from, to] = parse_pair("--registry-map", part);
    std::string mirror = take_host(registries, "--registry-map", to);
    registries.mirrors[take_host(registries, "--registry-map", from)].push_back(std::move(mirror));
  }
}

std::string variable(const char* name) {
  const char* value = std::getenv(name);
  return value ? value : "";
}

}  // namespace

io::CompressionSettings parse_compression(const std::string& name, int level) {
  io::CompressionSettings settings;
  if (!name.empty()) {
    settings.compression =
        choose<io::Compression>("--compression", name, {{"gzip", io::Compression::gzip}, {"zstd", io::Compression::zstd}});
  }
  settings.level = level;
  const bool zstd = settings.compression == io::Compression::zstd;
  if (level > (zstd ? 22 : 9)) {
    usage_error(fmt::format("--compression-level={}: {}", level, zstd ? "zstd has 1 to 22" : "gzip has 1 to 9"));
  }
  return settings;
}

std::optional<oci::ImageFormat> parse_image_format(const std::string& flag, const std::string& text) {
  if (text.empty()) return std::nullopt;
  return choose<oci::ImageFormat>(flag, text, {{"docker", oci::ImageFormat::docker}, {"oci", oci::ImageFormat::oci}});
}

engine::SnapshotMode parse_snapshot_mode(const std::string& text) {
  using engine::SnapshotMode;
  if (text.empty()) return SnapshotMode::automatic;
  return choose<SnapshotMode>(
      "--snapshot-mode", text,
      {{"full", SnapshotMode::full}, {"redo", SnapshotMode::redo}, {"time", SnapshotMode::time}, {"watch", SnapshotMode::watch}});
}

std::optional<engine::SandboxKind> parse_sandbox(const std::string& text) {
  using engine::SandboxKind;
  if (text.empty()) return std::nullopt;
  return choose<SandboxKind>("--sandbox", text, {{"userns", SandboxKind::userns}, {"in-place", SandboxKind::in_place}});
}

void resolve_registries(engine::RegistrySettings& registries, const ParsedFlags& flags) {
  resolve_pulls(registries, flags);
  registries.insecure_push = flags.boolean("insecure");
  registries.skip_tls_verify_push = flags.boolean("skip-tls-verify");
  registries.push_retries = flags.integer("push-retry");
  registries.skip_push_check = flags.boolean("skip-push-permission-check");
  registries.ignore_immutable_tags = flags.boolean("push-ignore-immutable-tag-errors");
  registries.upload_chunk_size = parse_size("--upload-chunk-size", flags.text("upload-chunk-size"));
  registries.upstream_client = variable("UPSTREAM_CLIENT_TYPE");
}

void resolve_pulls(engine::RegistrySettings& registries, const ParsedFlags& flags) {
  registries.insecure_pull = flags.boolean("insecure-pull");
  registries.skip_tls_verify_pull = flags.boolean("skip-tls-verify-pull");
  registries.no_fallback = flags.boolean("skip-default-registry-fallback");
  registries.pull_retries = flags.integer("image-download-retry");
  if (flags.given("credential-helpers")) registries.login_providers = flags.list("credential-helpers");
  for (const auto& host : flags.list("insecure-registry")) {
    registries.insecure.insert(take_host(registries, "--insecure-registry", host));
  }
  for (const auto& host : flags.list("skip-tls-verify-registry")) {
    registries.skip_tls_verify.insert(take_host(registries, "--skip-tls-verify-registry", host));
  }
  for (const auto& text : flags.list("registry-certificate")) {
    const auto [host, file] = parse_pair("--registry-certificate", text);
    registries.certificates[take_host(registries, "--registry-certificate", host)] = file;
  }
  for (const auto& text : flags.list("registry-client-cert")) add_client_certificate(registries, text);
  for (const auto& text : flags.list("registry-map")) add_registry_map(registries, text);
  add_registry_map(registries, variable("KANIKO_REGISTRY_MAP"));
  std::vector<std::string> mirrors = flags.list("registry-mirror");
  if (std::string more = variable("KANIKO_REGISTRY_MIRROR"); !more.empty()) mirrors.push_back(std::move(more));
  for (const auto& mirror : mirrors) {
    registries.mirrors["index.docker.io"].push_back(take_host(registries, "--registry-mirror", mirror));
  }
}

void resolve_cache_mounts(engine::BuildRequest& request, const ParsedFlags& flags) {
  const std::string where = flags.text("cache-mounts");
  if (where != "local" && where != "registry") usage_error(fmt::format("--cache-mounts={}: it is local or registry", where));
  request.cache.mounts_in_registry = where == "registry";
  request.cache.mounts_limit = parse_size("--cache-mounts-limit", flags.text("cache-mounts-limit"));
  if (!request.cache.mounts_in_registry) return;
  const std::string& place = request.cache.repository;
  if (place.starts_with("oci:")) {
    usage_error(
        fmt::format("--cache-mounts=registry: the cache is in {}, which is no repository; --cache-dir keeps cache mounts", place));
  }
  if (place.empty() && request.destinations.empty()) {
    usage_error("--cache-mounts=registry: there is no repository for them: name one, or an image beside which it is");
  }
}

std::string absolute_path(const std::string& path) { return path.empty() ? "" : fs::absolute(path).lexically_normal().string(); }

void resolve_destinations(engine::BuildRequest& request, const ParsedFlags& flags) {
  request.destinations = flags.list("destination");
  for (const auto& text : request.destinations) {
    const oci::Reference reference =
        io::with_context(fmt::format("--destination={}", text), [&] { return oci::parse_reference(text); });
    if (!reference.digest.empty())
      usage_error(fmt::format("--destination={}: an image is pushed to a tag; leave out the digest", text));
  }
}

namespace {

// A file, or a URL that the result is PUT to.
std::string result_file(const ParsedFlags& flags, const std::string& name) {
  const std::string place = flags.text(name);
  if (place.starts_with("https://")) return place;
  if (place.find("://") != std::string::npos) usage_error(fmt::format("--{}={}: it is a file or an https:// URL", name, place));
  return absolute_path(place);
}

}  // namespace

void resolve_digest_files(engine::BuildRequest& request, const ParsedFlags& flags) {
  request.digest_file = result_file(flags, "digest-file");
  request.image_name_with_digest_file = result_file(flags, "image-name-with-digest-file");
  request.image_name_tag_with_digest_file = result_file(flags, "image-name-tag-with-digest-file");
  if (!request.destinations.empty()) return;
  for (const char* name : {"image-name-with-digest-file", "image-name-tag-with-digest-file"}) {
    if (!flags.text(name).empty())
      usage_error(fmt::format("--{}={}: without a --destination there is no name", name, flags.text(name)));
  }
}

void add_build_arg(engine::BuildRequest& request, const std::string& text) {
  const auto equals = text.find('=');
  const std::string name = text.substr(0, equals);
  if (name.empty()) usage_error(fmt::format("--build-arg={}: it is NAME=value or NAME", text));
  request.build_args[name] = equals != std::string::npos ? text.substr(equals + 1) : variable(name.c_str());
}

void add_named_context(engine::BuildRequest& request, const std::string& text) {
  auto [name, value] = parse_pair("--build-context", text);
  constexpr std::string_view layout = "oci-layout://";
  if (value.starts_with(layout)) {
    value = std::string(layout) + fs::absolute(value.substr(layout.size())).lexically_normal().string();
  } else if (!value.starts_with("docker-image://") && !engine::is_download(value) && !engine::parse_git_reference(value)) {
    if (value.find("://") != std::string::npos || value.starts_with("target:")) {
      throw io::Error(
          io::ErrorKind::unsupported,
          fmt::format("--build-context {}: '{}' is no directory, docker-image://, oci-layout://, git repository or http(s) "
                      "URL",
                      name, value));
    }
    value = fs::absolute(value).lexically_normal();
    if (!fs::is_directory(value)) {
      usage_error(fmt::format("--build-context {}: '{}' is no directory", name, value));
    }
  }
  request.named_contexts.insert_or_assign(std::move(name), std::move(value));
}

std::chrono::seconds parse_ttl(const ParsedFlags& flags) {
  const std::string text = flags.text("cache-ttl");
  return io::with_context(fmt::format("--cache-ttl={}", text), [&] {
    return std::chrono::duration_cast<std::chrono::seconds>(engine::dockerfile::parse_duration(text));
  });
}

std::string find_dockerfile(const std::string& path, const std::string& context) {
  std::error_code ignored;
  if (fs::exists(path, ignored)) return fs::absolute(path);
  const std::string below = context + "/" + path;
  if (!context.empty() && fs::exists(below, ignored)) return fs::absolute(below);
  usage_error(fmt::format("Dockerfile '{}' is neither in {} nor in the context {}", path, fs::current_path(ignored).string(),
                          context.empty() ? "(none)" : context));
}

std::vector<std::string> own_environment() {
  std::vector<std::string> variables;
  for (char** entry = environ; *entry; ++entry) variables.emplace_back(*entry);
  return variables;
}

}  // namespace kiln::tools
