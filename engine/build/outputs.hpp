// What a build leaves besides a push: archives, layouts, digest files.
#pragma once

#include "engine/build/session.hpp"
#include "oci/output/image.hpp"

namespace kiln::engine {

// What happened, but for what was pushed and which layers are new.
BuildResult summarize(const Session& session, const oci::Image& image);

// --digest-file, --image-name-with-digest-file, --image-name-tag-with-digest-file: without a newline at the end of the first,
// as Kaniko writes them; each to a file, or by PUT to an https:// URL. Errors: io::Error naming the file or URL.
io::Task<void> write_digest_files(Session& session, oci::Digest digest);

// BUILDER_OUTPUT: one JSON object {"name", "digest"} for each destination, in the file "images" (Cloud Build).
void write_builder_output(const BuildRequest& request, const oci::Digest& digest);

// Before anything is built: can all of these be written? An https:// URL is asked when there is something to put.
// Errors: io::Error(filesystem) naming the first that cannot.
void check_outputs(const BuildRequest& request);

// --tar-path, --oci-layout-path and the archive of a layout. On the waiting pool.
io::Task<void> write_outputs(Session& session, const oci::Image& image);

bool wants_files(const BuildRequest& request);

}  // namespace kiln::engine
