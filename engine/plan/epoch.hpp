// What SOURCE_DATE_EPOCH says: seconds, or what has a time (BuildKit's frontend 1.24, dockerfile2llb/epoch.go).
#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace kiln::engine {

struct Plan;

struct EpochSource {
  std::string text;                     // as written; empty: there is none
  std::optional<std::int64_t> seconds;  // it is a number
  bool build_context = false;           // "context"
  std::string place;                    // a git repository or URL: that of a named context, or the one ADD of a stage
  std::optional<std::string> checksum;  // of that ADD
  int line = 0;                         // of that ADD

  // Whether its time has to be looked up. What has a name and no time (a directory, an image) leaves the build without an epoch.
  bool named() const { return !text.empty() && !seconds; }
};

// The answer to an EpochSource that is named: nothing when what it names has no time.
struct LookedUpEpoch {
  std::optional<std::int64_t> seconds;
};

// A build argument counts before the file, also when it is empty, which means none. In this order: a number, "context", a named
// context, a stage: FROM scratch with ARGs and one ADD of one git repository or URL. The plan's file, options and global arguments
// are read. Errors: io::Error(dockerfile) for anything else.
EpochSource find_epoch_source(const Plan& plan, const std::string& file_name);

}  // namespace kiln::engine
