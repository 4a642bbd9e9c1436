#include "engine/build/saved_archive.hpp"

#include <fcntl.h>

#include <cerrno>

#include <fmt/format.h>

#include "io/base/error.hpp"
#include "io/codec/block_compressor.hpp"
#include "io/codec/digest.hpp"
#include "oci/image/config.hpp"
#include "oci/image/json_fields.hpp"
#include "oci/tar/archive_source.hpp"

namespace kiln::engine {

namespace {

constexpr std::size_t largest_document = 16U << 20U;

bool is_gzip(io::Bytes bytes) { return bytes.size() >= 2 && bytes[0] == std::byte{0x1f} && bytes[1] == std::byte{0x8b}; }

}  // namespace

SavedArchive::SavedArchive(std::string path) : path_(std::move(path)), file_(open(path_.c_str(), O_RDONLY | O_CLOEXEC)) {
  if (!file_) io::throw_errno(errno, fmt::format("opening '{}'", path_));
}

void SavedArchive::rewind() {
  reader_.reset();
  source_ = oci::open_archive(file_.get());
  if (!source_) throw io::Error(io::ErrorKind::usage, fmt::format("'{}' is no tar archive", path_));
  reader_ = std::make_unique<oci::TarReader>(*source_);
}

std::string SavedArchive::next() {
  while (const auto entry = reader_->next()) {
    if (entry->type == oci::FileType::regular) return entry->path;
  }
  return {};
}

std::size_t SavedArchive::read(io::MutableBytes buffer) {
  std::size_t filled = 0;
  while (filled < buffer.size()) {
    const std::size_t count = reader_->read(buffer.subspan(filled));
    if (count == 0) break;
    filled += count;
  }
  return filled;
}

std::string SavedArchive::text_of(const std::string& name) {
  rewind();
  for (std::string found = next(); found != name; found = next()) {
    if (found.empty())
      throw io::Error(io::ErrorKind::usage, fmt::format("'{}' has no {}: it is no docker-save archive", path_, name));
  }
  std::vector<std::byte> bytes(largest_document + 1);
  bytes.resize(read(bytes));
  if (bytes.size() > largest_document) throw io::Error(io::ErrorKind::usage, fmt::format("'{}': {} is too large", path_, name));
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

SavedArchive::Contents SavedArchive::read_contents() {
  const oci::Json images = oci::Json::parse(text_of("manifest.json"), nullptr, false);
  if (!images.is_array() || images.size() != 1 || !images.front().is_object()) {
    throw io::Error(io::ErrorKind::usage, fmt::format("'{}': its manifest.json does not name one image", path_));
  }
  Contents contents;
  contents.config = text_of(oci::text_field(images.front(), "Config"));
  contents.layers = oci::text_list_field(images.front(), "Layers");
  const std::size_t wanted = oci::parse_config(contents.config).diff_ids.size();
  if (wanted != contents.layers.size()) {
    throw io::Error(io::ErrorKind::usage,
                    fmt::format("'{}' has {} layers, and its config {}", path_, contents.layers.size(), wanted));
  }
  return contents;
}

oci::Descriptor SavedArchive::spool_layer(oci::SpoolBlob& blob) {
  std::vector<std::byte> buffer(io::compression_block_size);
  io::Sha256 digest;
  oci::Descriptor descriptor;
  descriptor.media_type = oci::layer_media_type(oci::ImageFormat::docker, io::Compression::gzip);
  const auto put = [&](io::Bytes bytes) {
    digest.update(bytes);
    blob.append(bytes);
    descriptor.size += bytes.size();
  };
  std::size_t count = read(buffer);
  if (is_gzip(io::Bytes(buffer).first(count))) {
    for (; count > 0; count = read(buffer)) put(io::Bytes(buffer).first(count));
  } else {
    const io::CompressionSettings settings;
    io::BlockStream stream(settings);
    put(stream.header());
    for (; count > 0; count = read(buffer)) {
      const io::CompressedBlock block = io::compress_block(settings, io::Bytes(buffer).first(count));
      stream.append(block);
      put(block.bytes);
    }
    put(stream.trailer());
  }
  descriptor.digest = oci::Digest::from(digest.finish());
  return descriptor;
}

}  // namespace kiln::engine
