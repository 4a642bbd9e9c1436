// Running this very program again as a RUN's init.
#pragma once

#include <functional>
#include <string_view>

#include "engine/sandbox/init_request.hpp"
#include "io/loop/runtime.hpp"
#include "io/process/child.hpp"

namespace kiln::engine {

// Starts `sandbox-init` with `request` and waits for its end. What failed before the command was executed comes out as
// Error(process) with the exit code to end with.
io::Task<io::ExitStatus> run_init(io::Runtime& runtime, InitRequest request, std::function<void(int, std::string_view)> on_line);

}  // namespace kiln::engine
