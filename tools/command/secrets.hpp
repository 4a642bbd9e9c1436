// --secret and --ssh, in buildx's grammar. Errors: io::Error(usage) naming the flag, and never a value.
#pragma once

#include <string>

#include "engine/build/request.hpp"

namespace kiln::tools {

// id=NAME[,src=FILE|,env=VARIABLE][,type=file|env]; with neither, the variable of that name if set, else the file. Read at once:
// in place the file may be gone before the first RUN.
void add_secret(engine::BuildRequest& request, const std::string& text);

// default, NAME or NAME=SOCKET; without a socket that of SSH_AUTH_SOCK.
void add_ssh_agent(engine::BuildRequest& request, const std::string& text);

}  // namespace kiln::tools
