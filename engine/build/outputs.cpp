#include "engine/build/outputs.hpp"

#include <sys/stat.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "io/base/error.hpp"
#include "io/file/writable.hpp"
#include "io/http/retry.hpp"
#include "io/process/peak_memory.hpp"
#include "oci/output/layout.hpp"

namespace kiln::engine {

namespace {

// Parents are made as Kaniko makes them: for the owner only. Devices and pipes (/dev/stdout) are written to as they
// are.
void write_text(const std::string& path, const std::string& text) {
  std::filesystem::path made;
  for (const auto& part : std::filesystem::path(path).parent_path()) {
    made /= part;
    if (mkdir(made.c_str(), 0700) != 0 && errno != EEXIST)
      io::throw_errno(errno, fmt::format("making '{}' for '{}'", made.string(), path));
  }
  std::ofstream file(path, std::ios::trunc | std::ios::binary);
  file << text;
  file.flush();
  if (!file) throw io::Error(io::ErrorKind::filesystem, fmt::format("writing '{}': {}", path, std::strerror(errno)));
}

io::Task<void> put_text(Session& session, std::string url, std::string text) {
  const std::string doing = fmt::format("putting the digest to {}", url);
  const auto make_request = [url, text] {
    io::http::Request request;
    request.method = "PUT";
    request.url = io::http::parse_url(url);
    request.headers.set("Content-Type", "text/plain; charset=utf-8");
    request.body = io::http::Body::text(text);
    return request;
  };
  io::http::Response response = co_await io::http::send_with_retry(session.http, make_request, {}, doing);
  const int status = response.status();
  co_await response.discard();
  if (status < 200 || status > 299) throw io::Error(io::ErrorKind::protocol, fmt::format("{}: status {}", doing, status));
}

io::Task<void> write_result(Session& session, std::string place, std::string text) {
  if (place.empty()) co_return;
  if (place.starts_with("https://")) {
    co_await put_text(session, std::move(place), std::move(text));
  } else {
    write_text(place, text);
  }
}

// The registry as Kaniko names it.
std::string kaniko_name(const oci::Reference& reference) {
  return fmt::format("{}/{}", reference.registry == "docker.io" ? "index.docker.io" : reference.registry, reference.repository);
}

}  // namespace

BuildResult summarize(const Session& session, const oci::Image& image) {
  BuildResult result;
  result.manifest_digest = image.manifest_digest;
  result.manifest_size = image.manifest_bytes.size();
  result.media_type =
      image.manifest.format == oci::ImageFormat::oci ? oci::media_type::oci_manifest : oci::media_type::docker_manifest;
  result.config_digest = image.manifest.config.digest;
  result.layers = image.manifest.layers;
  result.bytes_pulled = session.bytes_pulled;
  result.bytes_pushed = session.bytes_pushed;
  result.blobs_pushed = session.blobs_pushed;
  result.blobs_mounted = session.blobs_mounted;
  result.blobs_present = session.blobs_present;
  result.phases = session.clock.phases();
  result.took = session.clock.elapsed();
  result.peak_memory = io::peak_memory();
  return result;
}

void check_outputs(const BuildRequest& request) {
  for (const auto& path : {request.tar_path, request.oci_archive_path}) {
    if (!path.empty()) io::check_writable_file(path);
  }
  if (!request.oci_layout_path.empty()) io::check_writable_directory(request.oci_layout_path);
  for (const auto& path : {request.digest_file, request.image_name_with_digest_file, request.image_name_tag_with_digest_file}) {
    if (!path.empty() && !path.starts_with("https://")) io::check_writable_file(path, io::MissingParents::made);
  }
}

bool wants_files(const BuildRequest& request) {
  return !request.tar_path.empty() || !request.oci_layout_path.empty() || !request.oci_archive_path.empty();
}

io::Task<void> write_digest_files(Session& session, oci::Digest digest) {
  const BuildRequest& request = session.request;
  std::string names, tagged;
  for (const auto& text : request.destinations) {
    const oci::Reference reference = oci::parse_reference(text);
    names += fmt::format("{}@{}\n", kaniko_name(reference), digest.text());
    tagged += fmt::format("{}:{}@{}\n", kaniko_name(reference), reference.tag, digest.text());
  }
  co_await write_result(session, request.digest_file, digest.text());
  co_await write_result(session, request.image_name_with_digest_file, names);
  co_await write_result(session, request.image_name_tag_with_digest_file, tagged);
}

void write_builder_output(const BuildRequest& request, const oci::Digest& digest) {
  if (request.builder_output.empty() || !request.push) return;
  std::string text;
  for (const auto& destination : request.destinations) {
    const oci::Reference reference = oci::parse_reference(destination);
    const nlohmann::ordered_json line = {{"name", fmt::format("{}:{}", kaniko_name(reference), reference.tag)},
                                         {"digest", digest.text()}};
    text += line.dump() + "\n";
  }
  write_text(request.builder_output + "/images", text);
}

io::Task<void> write_outputs(Session& session, const oci::Image& image) {
  const BuildRequest& request = session.request;
  std::vector<oci::Reference> references;
  for (const auto& text : request.destinations) references.push_back(oci::parse_reference(text));
  if (references.empty()) references.push_back(oci::parse_reference("unset-repo/unset-image-name:latest"));
  std::vector<std::string> tags;
  if (!request.destinations.empty()) tags.push_back(references.front().tag);
  auto work = [&] {
    // Kaniko's layout has no reference names.
    if (!request.oci_layout_path.empty()) oci::write_oci_layout(image, request.oci_layout_path, {});
    if (!request.oci_archive_path.empty()) oci::write_oci_archive(image, request.oci_archive_path, tags);
    if (!request.tar_path.empty()) oci::write_docker_archive(image, request.tar_path, references);
  };
  co_await io::offload(session.runtime.waiting(), work);
}

}  // namespace kiln::engine
