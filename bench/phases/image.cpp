#include "bench/phases/image.hpp"

#include <filesystem>
#include <fstream>

#include <fmt/format.h>

#include "bench/strategies/tree_source.hpp"
#include "engine/capture/layer_writer.hpp"
#include "io/base/error.hpp"
#include "io/file/read_plan.hpp"
#include "oci/image/manifest.hpp"
#include "oci/image/platform.hpp"
#include "oci/output/read_layout.hpp"

namespace kiln::bench {

namespace {

namespace fs = std::filesystem;
constexpr std::uint64_t packed_layers = 8;

// What is put, in runs of about the same number of bytes.
std::vector<engine::Changes> parts_of(const TreeSource& source) {
  std::vector<engine::Changes> parts(1);
  std::uint64_t bytes = 0;
  for (const auto& put : source.puts) {
    const auto node = source.tree.find(put.path);
    bytes += node ? node->size : 0;
    parts.back().push_back(put);
    if (bytes > source.bytes / packed_layers * parts.size() && parts.size() < packed_layers) parts.emplace_back();
  }
  return parts;
}

// Copies what a spool holds to a file with a name.
void write_blob(const oci::SpoolBlob& blob, const std::string& path) {
  std::ofstream file(path, std::ios::binary | std::ios::trunc);
  const auto source = blob.follow();
  std::vector<std::byte> buffer(1U << 20U);
  for (std::size_t count = source->read(buffer); count > 0; count = source->read(buffer)) {
    file.write(reinterpret_cast<const char*>(buffer.data()), static_cast<std::streamsize>(count));
  }
  file.flush();
  if (!file) throw io::Error(io::ErrorKind::filesystem, fmt::format("writing '{}' (is the disk full?)", path));
}

}  // namespace

std::uint64_t PackedImage::size() const {
  std::uint64_t sum = 0;
  for (const auto& layer : layers) sum += layer.size;
  return sum;
}

PackedImage read_image(const std::string& layout) {
  const auto colon = layout.rfind(':');
  const bool tagged = colon != std::string::npos && layout.find('/', colon) == std::string::npos;
  const std::string directory = tagged ? layout.substr(0, colon) : layout;
  oci::Descriptor wanted = oci::find_in_layout(directory, tagged ? std::string_view(layout).substr(colon + 1) : "");
  std::string bytes = oci::read_layout_blob(directory, wanted.digest);
  if (oci::is_index(wanted.media_type)) {
    wanted = oci::choose(oci::parse_index(bytes, wanted.media_type), oci::host_platform());
    bytes = oci::read_layout_blob(directory, wanted.digest);
  }
  PackedImage image;
  image.from = layout;
  for (const auto& layer : oci::parse_manifest(bytes, wanted.media_type).layers) {
    image.layers.push_back({oci::layout_blob_path(directory, layer.digest), layer.digest, layer.size});
  }
  return image;
}

io::Task<PackedImage> pack_directory(io::Runtime& runtime, std::string directory, std::string work_directory) {
  const TreeSource source = co_await index_directory(runtime, directory, work_directory);
  const auto reader = io::make_file_reader(runtime);
  PackedImage image;
  image.from = directory;
  for (auto& part : parts_of(source)) {
    const auto blob = std::make_shared<oci::SpoolBlob>(runtime.executor(), work_directory);
    const engine::LayerFacts facts = co_await engine::write_layer(runtime, *reader, source.tree, std::move(part), {}, blob, {});
    const std::string path = fmt::format("{}/layer-{}", work_directory, image.layers.size());
    write_blob(*blob, path);
    image.layers.push_back({path, facts.digest, facts.size});
  }
  co_return image;
}

}  // namespace kiln::bench
