#include "engine/build/outputs.hpp"

#include <cerrno>
#include <filesystem>
#include <fstream>

#include <fmt/format.h>

#include "io/base/error.hpp"
#include "oci/output/layout.hpp"

namespace kiln::engine {

namespace {

void write_text(const std::string& path, const std::string& text) {
  std::error_code ignored;
  const auto parent = std::filesystem::path(path).parent_path();
  if (!parent.empty()) std::filesystem::create_directories(parent, ignored);
  std::ofstream file(path, std::ios::trunc | std::ios::binary);
  file << text;
  file.flush();
  if (!file) throw io::Error(io::ErrorKind::filesystem, fmt::format("writing '{}' failed", path));
}

}  // namespace

bool wants_files(const BuildRequest& request) {
  return !request.tar_path.empty() || !request.oci_layout_path.empty() || !request.oci_archive_path.empty();
}

void write_digest_files(const BuildRequest& request, const oci::Digest& digest) {
  if (!request.digest_file.empty()) write_text(request.digest_file, digest.text());
  std::string names, tagged;
  for (const auto& text : request.destinations) {
    const oci::Reference reference = oci::parse_reference(text);
    const std::string registry = reference.registry == "docker.io" ? "index.docker.io" : reference.registry;
    names += fmt::format("{}/{}@{}\n", registry, reference.repository, digest.text());
    tagged += fmt::format("{}/{}:{}@{}\n", registry, reference.repository, reference.tag, digest.text());
  }
  if (!request.image_name_with_digest_file.empty()) write_text(request.image_name_with_digest_file, names);
  if (!request.image_name_tag_with_digest_file.empty()) write_text(request.image_name_tag_with_digest_file, tagged);
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
