#include "engine/build/final_config.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "io/base/error.hpp"

namespace kiln::engine {

namespace {

bool needs_oci(const BuildRequest& request) {
  return request.compression.compression == io::Compression::zstd || !request.annotations.empty();
}

// Entries without a time: those before the first new layer take that layer's, the others that of the layer before them
// (BuildKit's exporter, normalizeLayersAndHistory). Without any time at all: now.
void fill_times(std::vector<oci::History>& history, const std::string& now) {
  std::string time;
  bool missing = false;
  for (const auto& entry : history) {
    if (entry.created.empty()) {
      missing = true;
      continue;
    }
    time = entry.created;
    if (missing) break;
  }
  if (time.empty()) time = now;
  missing = false;
  for (auto& entry : history) {
    if (entry.created.empty()) {
      missing = true;
      entry.created = time;
    } else if (missing) {
      time = entry.created;
    }
  }
}

// An image for a platform that was asked for says so, whatever its base says; else it keeps its base's (BuildKit's
// finalizeResultImage).
void set_platform(oci::Platform& platform, const oci::Platform& wanted) {
  const bool same = platform.os == wanted.os && platform.architecture == wanted.architecture;
  platform.os = wanted.os;
  platform.architecture = wanted.architecture;
  if (!wanted.variant.empty() || !same) platform.variant = wanted.variant;
  if (!wanted.os_version.empty() || !same) platform.os_version = wanted.os_version;
}

}  // namespace

oci::ImageConfig final_config(const Session& session, const StageResult& stage) {
  oci::ImageConfig config = stage.config;
  fill_times(config.history, session.created);
  config.created = config.history.empty() ? session.created : config.history.back().created;
  if (session.request.platform_given || config.platform.architecture.empty()) {
    set_platform(config.platform, session.request.platform);
  }
  oci::normalise(config.platform);
  for (const auto& [key, value] : session.request.labels) config.labels[key] = value;
  config.diff_ids.clear();
  for (const auto& layer : stage.layers) config.diff_ids.push_back(layer->diff_id);
  // What Docker's builder left about its own containers, and a cache of other layers: BuildKit does not carry them on.
  for (const char* field : {"container", "container_config", "docker_version", "id", "parent", "parent_id", "throwaway",
                            "moby.buildkit.cache.v0", "moby.buildkit.buildinfo.v1"}) {
    config.other_top.erase(field);
  }
  for (const char* field : {"Hostname", "Domainname", "Image"}) config.other_config.erase(field);
  return config;
}

void check_format(const BuildRequest& request) {
  if (request.format != oci::ImageFormat::docker) return;
  if (!request.annotations.empty()) {
    throw io::Error(io::ErrorKind::usage, fmt::format("--annotation={}: an image of Docker's format has no annotations; leave out "
                                                      "--image-format=docker",
                                                      request.annotations.begin()->first));
  }
  oci::layer_media_type(*request.format, request.compression.compression);
}

oci::ImageFormat format_on(const BuildRequest& request, oci::ImageFormat base, const std::vector<ImageLayerPtr>& layers) {
  const auto format = request.format.value_or(needs_oci(request) ? oci::ImageFormat::oci : base);
  for (const auto& layer : layers) {
    if (!layer->descriptor.media_type.empty()) oci::layer_media_type(format, oci::compression_of(layer->descriptor.media_type));
  }
  return format;
}

}  // namespace kiln::engine
