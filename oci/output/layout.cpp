#include "oci/output/layout.hpp"

#include <filesystem>
#include <functional>
#include <set>

#include <fmt/format.h>

#include "io/base/error.hpp"
#include "io/file/make_directories.hpp"
#include "oci/image/json_fields.hpp"
#include "oci/output/new_file.hpp"
#include "oci/tar/writer.hpp"

namespace kiln::oci {

namespace {

namespace fs = std::filesystem;

std::string index_text(const Image& image, const std::vector<std::string>& names) {
  Index index;
  index.format = ImageFormat::oci;
  Descriptor entry = descriptor_of(image);
  if (names.empty()) index.manifests.push_back(entry);
  for (const auto& name : names) {
    entry.annotations[ref_name_annotation] = name;
    index.manifests.push_back(entry);
  }
  return serialize(index);
}

// A tar made of files whose bytes are at hand.
class ArchiveWriter {
 public:
  explicit ArchiveWriter(const std::string& path) : file_(path, NewFile::Special::written_to) {}

  void add_directory(const std::string& path) {
    TarEntry entry;
    entry.path = path;
    entry.type = FileType::directory;
    entry.mode = 0755;
    file_.write(io::as_bytes(tar_header(entry)));
  }
  void add_text(const std::string& path, std::string_view text) {
    begin(path, text.size());
    file_.write(io::as_bytes(text));
    end(text.size());
  }
  void add_blob(const std::string& path, const SpoolBlob& blob) {
    begin(path, blob.size());
    file_.write(blob);
    end(blob.size());
  }
  void finish() {
    file_.write(io::as_bytes(std::string(tar_end_size, '\0')));
    file_.keep();
  }

 private:
  void begin(const std::string& path, std::uint64_t size) {
    TarEntry entry;
    entry.path = path;
    entry.size = size;
    file_.write(io::as_bytes(tar_header(entry)));
  }
  void end(std::uint64_t size) { file_.write(io::as_bytes(std::string(tar_padding(size), '\0'))); }

  NewFile file_;
};

// Each layer once: an image may hold the same layer twice.
void for_each_layer(const Image& image, const std::function<void(const Descriptor&, const SpoolBlob&)>& visit) {
  std::set<Digest> seen;
  for (std::size_t i = 0; i < image.layers.size(); ++i) {
    if (seen.insert(image.manifest.layers[i].digest).second) visit(image.manifest.layers[i], *image.layers[i]);
  }
}

}  // namespace

Descriptor descriptor_of(const Image& image) {
  Descriptor descriptor;
  descriptor.media_type = image.manifest.format == ImageFormat::oci ? media_type::oci_manifest : media_type::docker_manifest;
  descriptor.digest = image.manifest_digest;
  descriptor.size = image.manifest_bytes.size();
  descriptor.platform = image.platform;
  return descriptor;
}

void write_oci_layout(const Image& image, const std::string& directory, const std::vector<std::string>& names) {
  std::error_code error;
  const std::string blobs = directory + "/blobs/sha256/";
  io::make_directories(blobs);
  for_each_layer(image, [&](const Descriptor& layer, const SpoolBlob& blob) {
    const std::string path = blobs + std::string(layer.digest.hex());
    if (fs::exists(path, error) && fs::file_size(path, error) == layer.size) return;
    NewFile file(path);
    file.write(blob);
    file.keep();
  });
  write_text_file(blobs + std::string(image.manifest.config.digest.hex()), image.config_bytes);
  write_text_file(blobs + std::string(image.manifest_digest.hex()), image.manifest_bytes);
  write_text_file(directory + "/oci-layout", oci_layout_text);
  write_text_file(directory + "/index.json", index_text(image, names));
}

void write_oci_archive(const Image& image, const std::string& path, const std::vector<std::string>& names) {
  ArchiveWriter archive(path);
  archive.add_text("oci-layout", oci_layout_text);
  archive.add_text("index.json", index_text(image, names));
  archive.add_directory("blobs");
  archive.add_directory("blobs/sha256");
  const std::string blobs = "blobs/sha256/";
  archive.add_text(blobs + std::string(image.manifest_digest.hex()), image.manifest_bytes);
  archive.add_text(blobs + std::string(image.manifest.config.digest.hex()), image.config_bytes);
  for_each_layer(image, [&](const Descriptor& layer, const SpoolBlob& blob) {
    archive.add_blob(blobs + std::string(layer.digest.hex()), blob);
  });
  archive.finish();
}

void write_docker_archive(const Image& image, const std::string& path, const std::vector<Reference>& names) {
  ArchiveWriter archive(path);
  Json entry;
  entry["Config"] = image.manifest.config.digest.text();
  entry["RepoTags"] = Json::array();
  for (const auto& name : names) entry["RepoTags"].push_back(name.familiar());
  entry["Layers"] = Json::array();
  for (const auto& layer : image.manifest.layers) entry["Layers"].push_back(std::string(layer.digest.hex()) + ".tar.gz");
  archive.add_text(image.manifest.config.digest.text(), image.config_bytes);
  for_each_layer(image, [&](const Descriptor& layer, const SpoolBlob& blob) {
    archive.add_blob(std::string(layer.digest.hex()) + ".tar.gz", blob);
  });
  archive.add_text("manifest.json", dump_like_go(Json::array({entry})));
  archive.finish();
}

}  // namespace kiln::oci
