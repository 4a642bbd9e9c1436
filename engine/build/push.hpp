// Pushing an image that an earlier build has left in a file.
#pragma once

#include <string>

#include "engine/build/request.hpp"

namespace kiln::engine {

// `path`: a docker-save archive (a file) or an OCI layout (a directory) with one image. Of the request count destinations, digest
// files, registries and the work directory. A layout's manifest is pushed byte for byte; an archive has none, so it becomes a
// Docker image, and layers that it has uncompressed are compressed. Errors: io::Error naming the path; usage for more than one
// image.
io::Task<BuildResult> push_saved_image(io::Runtime& runtime, BuildRequest request, std::string path, Progress& progress);

}  // namespace kiln::engine
