// STOPSIGNAL's values.
#pragma once

#include <string>

namespace kiln::engine::dockerfile {

// A number from 1 to 64 or a name with or without SIG, as moby/sys/signal takes them. Errors: io::Error(dockerfile).
void check_signal(const std::string& text);

}  // namespace kiln::engine::dockerfile
