// What a build finds in the layer cache and what not, and why: in words and as JSON.
#pragma once

#include <compare>
#include <cstddef>
#include <string>
#include <vector>

namespace kiln::engine {

// One input of a step's key.
struct InputPart {
  std::string kind;  // "variable", "base", "file", ...: one word
  std::string name;  // of it; may be empty
  friend auto operator<=>(const InputPart&, const InputPart&) = default;
};

struct InputDifference {
  enum class Change { changed, added, removed };
  Change change = Change::changed;
  InputPart part;  // of kind "file" and "directory", too
  std::string before, after;
};

enum class MissReason {
  changed,   // inputs of its own: `differences`
  earlier,   // nothing but the step before it in its stage
  source,    // nothing but a stage that it reads from or stands on
  gone,      // nothing: the entry was not written, was deleted, is too old or damaged
  unknown,   // no entry is like it
  uncached,  // nothing can be looked up for it: `note` says why
};

struct MissedStep {
  std::string stage;
  std::size_t index = 0, count = 0;  // from 1, in its stage
  std::string step;
  MissReason reason = MissReason::unknown;
  std::vector<InputDifference> differences;
  std::string nearest;       // the key of the entry that it was compared with; empty: none
  std::string nearest_step;  // its instruction, where that is another
  std::string note;
};

// What a build would find.
struct CacheReport {
  std::size_t steps = 0, cached = 0;
  std::vector<MissedStep> missed;
};

// One line without its end: "RUN make: variable CFLAGS changed". `most` differences are named.
std::string describe(const MissedStep& missed, std::size_t most = 3);
std::string report_text(const CacheReport& report);  // lines
std::string report_json(const CacheReport& report);

}  // namespace kiln::engine
