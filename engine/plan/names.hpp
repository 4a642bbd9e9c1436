// What names in a Dockerfile stand for: stages, named contexts, variables.
#pragma once

#include <map>
#include <optional>
#include <string>

#include "engine/dockerfile/expand.hpp"
#include "engine/plan/plan.hpp"

namespace kiln::engine {

std::optional<int> as_index(const std::string& text);

// The latest stage before `before` with this name.
std::optional<int> stage_named(const Plan& plan, const std::string& name, int before);

// The named context that `text` means: by its name as written, or as an image by the image's full name.
std::optional<Source> context_named(const Plan& plan, const std::string& text, const oci::Platform& platform);

// `values` must outlive it.
dockerfile::Lookup lookup_in(const std::map<std::string, std::string>& values);

}  // namespace kiln::engine
