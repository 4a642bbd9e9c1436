// Starting a program: everything between fork and exec, in async-signal-safe calls only.
#pragma once

#include <sys/types.h>

#include <utility>
#include <vector>

#include "io/process/child.hpp"

namespace kiln::io {

// A program that was started. The descriptors are our ends; closed when the child exits or when this goes away.
struct Spawned {
  pid_t pid = -1;
  UniqueFd pidfd;
  UniqueFd out;  // what the child writes to its standard output; invalid when it has ours
  UniqueFd err;
  UniqueFd gate;  // a byte written here lets a gated child go on
};

// Forks and executes `command` as the leader of a new session. Errors: Error(process) with exit code 127 when there is no
// such program, 126 when it cannot be executed.
Spawned spawn(const Command& command);

}  // namespace kiln::io
