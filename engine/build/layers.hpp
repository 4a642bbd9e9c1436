// Layers of an image on their way: from a registry, or from a step of this build.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "engine/build/session.hpp"
#include "engine/capture/layer_writer.hpp"
#include "engine/rootfs/layer_input.hpp"
#include "oci/blob/spool.hpp"

namespace kiln::engine {

struct ImageLayer {
  oci::Descriptor descriptor;       // of a new layer: final once the blob is complete
  oci::Digest diff_id;              // same
  oci::SpoolBlobPtr blob;           // null: a base layer whose bytes nobody wanted yet
  oci::Registry* origin = nullptr;  // layers of a base image or of a registry's cache
  std::string origin_repository;
  oci::Reference image;   // of a base: what has it, by the digest of the manifest
  oci::BlobFilePtr file;  // a copy in a cache on disk; not verified until its bytes are wanted
  bool from_cache = false;
  std::int64_t created = 0;  // seconds: when it was made; of layers that are not a base's
  bool pushed = false;       // every destination has it
  // The files as they were when the layer was made, where their mtimes in it are others; else null. A stage that is built on it
  // sees these, as with docker, which changes times when it exports.
  std::shared_ptr<const Tree> times;
  // Not made by this build.
  bool base() const { return origin != nullptr || file != nullptr; }
};
using ImageLayerPtr = std::shared_ptr<ImageLayer>;

// A base image: manifest and config are here, layers come when somebody wants their bytes.
struct BaseImage {
  oci::Reference reference;
  oci::Digest digest;
  oci::Digest index;  // that the manifest was chosen from; empty: none
  oci::Manifest manifest;
  std::string manifest_bytes;
  oci::ImageConfig config;
  std::string config_bytes;
  std::vector<ImageLayerPtr> layers;
};

// Of the directory of base images (--cache-dir) whatever is there is taken; a tag is looked up at the registry nevertheless, a
// digest is not. Errors carry the reference.
io::Task<std::shared_ptr<BaseImage>> load_base_image(Session& session, oci::Reference reference, oci::Platform platform);

// The same from an OCI layout; `place`: DIRECTORY[:NAME][@DIGEST], NAME is "latest" if not given (docker buildx build
// --build-context). Errors carry the place.
io::Task<std::shared_ptr<BaseImage>> load_layout_image(Session& session, std::string place, oci::Platform platform);
std::string layout_place_directory(const std::string& place);
// Leaves the base images that this build has downloaded in the directory, and what is in those that it has read. Trouble is a
// warning.
io::Task<void> keep_base_images(Session& session);

std::vector<oci::Digest> digests_of(const std::vector<ImageLayerPtr>& layers);
std::vector<oci::SpoolBlobPtr> blobs_of(Session& session, const std::vector<ImageLayerPtr>& layers);
// The blob of a layer; if this build has not made it, its download starts when somebody wants bytes of it.
oci::SpoolBlobPtr blob_of(Session& session, const ImageLayerPtr& layer);

// The bytes of a layer that this build has not made; the download starts when this is called first and goes on beside the build.
oci::SpoolBlobPtr want_bytes(Session& session, const ImageLayerPtr& layer);

// Bytes of layers for which it is worth a while to find out how they had better come.
inline constexpr std::uint64_t worth_watching = 32U << 20U;

// What layers are unpacked or indexed from. `passing`: whether a layer's bytes are wanted once only, as far as the caller knows;
// then they go through memory unless the build has or keeps them, and whoever wants them later has them downloaded again.
std::vector<LayerInput> want_layers(Session& session, const std::vector<ImageLayerPtr>& layers,
                                    const std::function<bool(const ImageLayer&)>& passing);

// How layers are written. SOURCE_DATE_EPOCH alone leaves the times of what a RUN makes, as with BuildKit; --reproducible gives
// every entry the same time.
LayerSettings layer_settings(const Session& session);

// Starts to capture `changes` as a layer. `captured` becomes true, and `on_captured` is notified, when no file will be read
// any more.
struct Capture {
  explicit Capture(const io::Executor& executor) : changed(executor) {}
  ImageLayerPtr layer;
  bool captured = false;
  bool failed = false;
  io::Notify changed;
};
std::shared_ptr<Capture> start_capture(Session& session, Tree tree, Changes changes, oci::ImageFormat format);
// Errors of the capture come out where transfers are joined.
io::Task<void> wait_captured(std::shared_ptr<Capture> capture);

}  // namespace kiln::engine
