// What is said about a Dockerfile before anything of it is done.
#pragma once

#include "engine/build/session.hpp"

namespace kiln::engine {

// Is the file written for a frontend that is not built in? BUILDKIT_SYNTAX wins over the file's own word.
// Errors: io::Error(unsupported) naming the frontend.
void check_frontend(const Session& session);

// BuildKit's build checks on the stages that the plan needs, as warnings of the build.
// Errors: io::Error(dockerfile) when the file or BUILDKIT_DOCKERFILE_CHECK says error=true and there are findings.
void check_dockerfile(const Session& session);

}  // namespace kiln::engine
