// The layer cache on the command line of `kiln build`, in docker's words.
#pragma once

#include "engine/build/request.hpp"
#include "tools/command/flags.hpp"

namespace kiln::tools {

// --cache-from and --cache-to, each REPOSITORY, type=registry,ref=REPOSITORY or type=local,src=DIRECTORY (dest= for --cache-to),
// and --no-cache. There is one cache a build: both name the same place, --cache-to alone writes without reading.
// Errors: io::Error(usage or unsupported) naming the flag.
void resolve_docker_cache(engine::CacheSettings& cache, const ParsedFlags& flags);

}  // namespace kiln::tools
