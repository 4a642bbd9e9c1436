// `executor login`: keeps a login in config.json, as the fork's and docker's command do.
#pragma once

#include <string>
#include <vector>

namespace kiln::tools {

// Arguments after "login". Writes $DOCKER_CONFIG/config.json (else $HOME/.docker/config.json), or gives the login to the
// credential helper that the file names for the registry. Errors: io::Error(usage, filesystem, process).
int login_main(const std::vector<std::string>& arguments);

}  // namespace kiln::tools
