// What a build leaves besides a push: archives, layouts, digest files.
#pragma once

#include "engine/build/session.hpp"
#include "oci/output/image.hpp"

namespace kiln::engine {

// --digest-file, --image-name-with-digest-file, --image-name-tag-with-digest-file: without a newline at the end of the first,
// as Kaniko writes them. Errors: io::Error(filesystem) naming the file.
void write_digest_files(const BuildRequest& request, const oci::Digest& digest);

// --tar-path, --oci-layout-path and the archive of a layout. On the waiting pool.
io::Task<void> write_outputs(Session& session, const oci::Image& image);

bool wants_files(const BuildRequest& request);

}  // namespace kiln::engine
