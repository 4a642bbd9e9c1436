// What keys were made of, and whether it is still so: a layer may go into the cache under its key only if no file of a context was
// written to between the two.
#pragma once

#include <string>
#include <vector>

#include "engine/build/session.hpp"
#include "engine/cache/fingerprint.hpp"
#include "engine/plan/resolve.hpp"

namespace kiln::engine {

// Does the step read the build context, or a directory that is a named one?
bool reads_context(const Session& session, const Step& step);

class ContextReads {
 public:
  // `step` has read these files for its key.
  void add(CopyStep step, const Listing& listing) { reads_.push_back({std::move(step), listing.state()}); }

  // Walks over all of that once more; the first source of what is another now, as in the Dockerfile; empty: there is none. What
  // cannot be read any more is another.
  io::Task<std::string> find_changed(Session& session) const;

 private:
  struct Read {
    CopyStep step;
    std::string state;
  };
  std::vector<Read> reads_;
};

}  // namespace kiln::engine
