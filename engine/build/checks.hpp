// What is said about a Dockerfile before anything of it is done.
#pragma once

#include <cstddef>
#include <functional>
#include <map>
#include <string_view>

#include "engine/build/session.hpp"
#include "engine/context/ignore.hpp"

namespace kiln::engine {

// Is the file written for a frontend that is not built in? BUILDKIT_SYNTAX wins over the file's own word.
// Errors: io::Error(unsupported) naming the frontend.
void check_frontend(const Session& session);

// BuildKit's build checks on the stages that the plan needs, as warnings of the build. `bases`: the configs of the images that
// stages are built on, by stage; what is not there is not known.
// Errors: io::Error(dockerfile) when findings are errors and there are some.
void check_dockerfile(const Session& session, const std::map<std::size_t, const oci::ImageConfig*>& bases);

// What CopyIgnoredFile asks (LintOptions::ignored). Where patterns take others back ("!") nothing is told: a directory that is
// left out may then have files that are not (BuildKit's validateCopySourcePath).
std::function<bool(std::string_view path)> ignored_sources(IgnoreMatcher ignore);

// Does the file, or BUILDKIT_DOCKERFILE_CHECK, say error=true?
bool findings_are_errors(const Session& session);

}  // namespace kiln::engine
