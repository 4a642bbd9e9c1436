// The command line of Kaniko's warmer: base images into --cache-dir, ahead of the builds.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "engine/build/warm.hpp"
#include "tools/command/logging.hpp"

namespace kiln::tools {

int warmer_main(int argc, char** argv);

struct WarmerCommand {
  engine::WarmRequest request;                    // the images of --image
  std::string dockerfile;                         // a path or an http(s) URL; its images come in addition; empty: none
  std::map<std::string, std::string> build_args;  // for it
  oci::Platform platform;
  LogSettings log;
  std::string text;  // to print instead: help, table
  std::vector<std::string> warnings;
};

// Arguments without the program's name. Errors: io::Error(usage) naming the flag.
WarmerCommand parse_warmer(const std::vector<std::string>& arguments);

// Every image that a stage of the Dockerfile stands on, copies from or mounts. Errors: io::Error(dockerfile).
std::vector<engine::WarmImage> images_of(const std::string& dockerfile_text, const WarmerCommand& command);

// The README's table.
std::string warmer_markdown();

}  // namespace kiln::tools
