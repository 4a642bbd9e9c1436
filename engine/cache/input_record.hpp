// What the last builds of a stage were made of: a small document beside the entries, which a fresh pod finds by the stage's name,
// so that it can tell what has changed since the nearest entry.
//
// Zstandard over JSON, the newest steps first, within 256 KiB: what is too much goes by age, then files of the newest become
// directories. Read only after a look-up has missed; no key and no image depends on it.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "engine/cache/step_inputs.hpp"

namespace kiln::engine {

inline constexpr std::size_t largest_record = 256U << 10U;  // bytes

// Where a stage's record is: a name for a CacheStore. `repository` is what the image is for; may be empty.
std::string record_name(const std::string& repository, const std::string& dockerfile, const std::string& stage,
                        const std::string& platform);

// `fresh` in front of those of `known` with other keys, at most so many that they help.
std::vector<StepInputs> merge_records(std::vector<StepInputs> fresh, std::vector<StepInputs> known);

// Files are spelt. The first `fresh` steps stay, whatever it takes, as far as `limit` allows.
std::string pack_record(std::vector<StepInputs> steps, std::size_t fresh, std::size_t limit = largest_record);

// Errors: io::Error(integrity).
std::vector<StepInputs> unpack_record(std::string_view bytes);

}  // namespace kiln::engine
