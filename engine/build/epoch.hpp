// The time that SOURCE_DATE_EPOCH names.
#pragma once

#include "engine/build/session.hpp"

namespace kiln::engine {

// Asks what the plan's epoch names: of a repository the commit's time (the committer's), of a file from a server Last-Modified,
// without one the newest regular file of an archive. What has no time is a warning, as the build goes on without an epoch.
io::Task<LookedUpEpoch> look_up_epoch(Session& session);

}  // namespace kiln::engine
