// The config of the image that comes out, from the target stage's and from what the build was asked for.
#pragma once

#include "engine/build/session.hpp"
#include "engine/build/stage.hpp"

namespace kiln::engine {

// When every layer is known.
oci::ImageConfig final_config(const Session& session, const StageResult& stage);

// Throws io::Error(usage) where what is asked for has no place in Docker's format.
void check_format(const BuildRequest& request);

// The format of an image built on one of format `base`: what is asked for; else OCI where only that has a place for it, as
// BuildKit does; else the base's. Errors: io::Error(unsupported) when a layer of the base has no type in it.
oci::ImageFormat format_on(const BuildRequest& request, oci::ImageFormat base, const std::vector<ImageLayerPtr>& layers);

}  // namespace kiln::engine
