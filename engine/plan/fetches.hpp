// What a build of a plan takes from elsewhere: images, git repositories and files from servers.
#pragma once

#include <string>
#include <vector>

#include "engine/plan/plan.hpp"

namespace kiln::engine {

struct Fetch {
  enum class Kind { image, git, url };
  Kind kind = Kind::image;
  std::string place;       // reference, repository as it is written, URL
  std::string platform;    // of an image
  std::vector<int> lines;  // of the Dockerfile, that want it; empty: only SOURCE_DATE_EPOCH does
};

struct Fetches {
  std::vector<Fetch> known;        // in the order of the file, each once
  std::vector<std::string> notes;  // why there may be more: what only the config of a base image can tell
};

// Of the stages that are needed. Nothing is asked for: the environment and the ONBUILD triggers of base images are not known, and
// a variable that would come from there is empty. Errors: io::Error(dockerfile) as resolve_stage, for what fails whatever a base
// has.
Fetches find_fetches(const Plan& plan, const std::string& file_name);

std::string_view name_of(Fetch::Kind kind);

}  // namespace kiln::engine
