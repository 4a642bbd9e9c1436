// The image's ssh, as git starts it: no shell is there that could give the OpenSSH client beside it options (GIT_SSH_COMMAND).
#pragma once

namespace kiln::tools {

// Becomes that client: it never asks anything, and with engine::ssh_trust_variable set it takes any host for the one it says it is.
// Returns only when there is no client.
int ssh_main(int argc, char** argv);

}  // namespace kiln::tools
