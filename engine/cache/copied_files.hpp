// What one source of a COPY reads, for its key.
#pragma once

#include <string>

#include "engine/cache/fingerprint.hpp"
#include "engine/plan/resolve.hpp"
#include "engine/tree/tree.hpp"

namespace kiln::engine {

// Adds what `source` of `step` names in `context`, a Tree of files on disk: what is left out (--exclude), and where it goes, is no
// part of it. Errors: io::Error(context) for a source that is not there.
void list_copied_files(const CopyStep& step, const std::string& source, const Tree& context, Listing& listing);

}  // namespace kiln::engine
