#include "oci/output/layout.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <functional>
#include <set>

#include <fmt/format.h>

#include "io/base/error.hpp"
#include "io/base/fd.hpp"
#include "oci/image/json_fields.hpp"
#include "oci/tar/writer.hpp"

namespace kiln::oci {

namespace {

namespace fs = std::filesystem;

constexpr std::string_view layout_text = R"({"imageLayoutVersion":"1.0.0"})";

// A file that gets its name only when it is whole.
class NewFile {
 public:
  explicit NewFile(std::string path) : path_(std::move(path)), temporary_(path_ + ".kiln-new") {
    fd_ = io::UniqueFd(open(temporary_.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644));
    if (!fd_) io::throw_errno(errno, fmt::format("creating '{}'", path_));
  }
  ~NewFile() {
    if (!kept_) unlink(temporary_.c_str());
  }
  NewFile(const NewFile&) = delete;
  NewFile& operator=(const NewFile&) = delete;

  void write(io::Bytes bytes) {
    while (!bytes.empty()) {
      const ssize_t count = ::write(fd_.get(), bytes.data(), bytes.size());
      if (count < 0 && errno == EINTR) continue;
      if (count < 0) io::throw_errno(errno, fmt::format("writing '{}'", path_));
      bytes = bytes.subspan(static_cast<std::size_t>(count));
    }
  }
  void keep() {
    if (rename(temporary_.c_str(), path_.c_str()) != 0) io::throw_errno(errno, fmt::format("naming '{}'", path_));
    kept_ = true;
  }

 private:
  std::string path_;
  std::string temporary_;
  io::UniqueFd fd_;
  bool kept_ = false;
};

void copy_blob(const SpoolBlob& blob, NewFile& file) {
  std::vector<std::byte> buffer(1U << 20U);
  for (std::uint64_t offset = 0;;) {
    const std::size_t count = blob.read_at(offset, buffer);
    if (count == 0) return;
    file.write(io::Bytes(buffer).first(count));
    offset += count;
  }
}

void write_text_file(const std::string& path, std::string_view text) {
  NewFile file(path);
  file.write(io::as_bytes(text));
  file.keep();
}

std::string index_text(const Image& image, const std::vector<std::string>& names) {
  Index index;
  index.format = ImageFormat::oci;
  Descriptor entry;
  entry.media_type = image.manifest.format == ImageFormat::oci ? media_type::oci_manifest : media_type::docker_manifest;
  entry.digest = image.manifest_digest;
  entry.size = image.manifest_bytes.size();
  entry.platform = image.platform;
  if (names.empty()) index.manifests.push_back(entry);
  for (const auto& name : names) {
    entry.annotations["org.opencontainers.image.ref.name"] = name;
    index.manifests.push_back(entry);
  }
  return serialize(index);
}

// A tar made of files whose bytes are at hand.
class ArchiveWriter {
 public:
  explicit ArchiveWriter(const std::string& path) : file_(path) {}

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
    copy_blob(blob, file_);
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

void write_oci_layout(const Image& image, const std::string& directory, const std::vector<std::string>& names) {
  std::error_code error;
  const std::string blobs = directory + "/blobs/sha256/";
  fs::create_directories(blobs, error);
  if (error) throw io::Error(io::ErrorKind::filesystem, fmt::format("making '{}': {}", blobs, error.message()));
  for_each_layer(image, [&](const Descriptor& layer, const SpoolBlob& blob) {
    const std::string path = blobs + std::string(layer.digest.hex());
    if (fs::exists(path, error) && fs::file_size(path, error) == layer.size) return;
    NewFile file(path);
    copy_blob(blob, file);
    file.keep();
  });
  write_text_file(blobs + std::string(image.manifest.config.digest.hex()), image.config_bytes);
  write_text_file(blobs + std::string(image.manifest_digest.hex()), image.manifest_bytes);
  write_text_file(directory + "/oci-layout", layout_text);
  write_text_file(directory + "/index.json", index_text(image, names));
}

void write_oci_archive(const Image& image, const std::string& path, const std::vector<std::string>& names) {
  ArchiveWriter archive(path);
  archive.add_text("oci-layout", layout_text);
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
