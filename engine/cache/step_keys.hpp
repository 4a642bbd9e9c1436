// The keys of images, stages and steps.
#pragma once

#include <string>

#include "engine/plan/resolve.hpp"
#include "oci/image/digest.hpp"
#include "oci/image/platform.hpp"

namespace kiln::engine {

// Of the config of an image, kept in the cache.
std::string config_key(const oci::Digest& manifest);

// What a stage stands on. `settings` is what decides how layers are written (compression, fixed times).
std::string image_key(const oci::Digest& manifest, const oci::Platform& platform);
std::string scratch_key(const oci::Platform& platform);
std::string stage_key(const std::string& base, const std::string& settings);

// The state after a step. `before`: the key of the state before it. `inputs`: what it reads from elsewhere, as digests: for a
// COPY the fingerprint of its sources or the key of the stage that they are in; for a RUN one for each mount that has a source.
std::string run_key(const std::string& before, const RunStep& step, const std::vector<std::string>& inputs);
std::string copy_key(const std::string& before, const CopyStep& step, const std::string& inputs);
std::string workdir_key(const std::string& before, const WorkdirStep& step);

}  // namespace kiln::engine
