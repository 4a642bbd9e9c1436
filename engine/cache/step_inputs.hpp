// What a step's key was made of, by name and in short: enough to tell afterwards which input made a look-up miss.
//
// Values are 32-bit hashes, or names that anybody may read (digests of base images, modes). Values of secrets and of proxies are
// not in it, in no form.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "engine/cache/cache_report.hpp"
#include "engine/cache/fingerprint.hpp"
#include "engine/plan/resolve.hpp"

namespace kiln::engine {

// The kind of the part that stands for all steps before.
inline constexpr std::string_view before_part = "before";

struct StepInputs {
  std::string key;                           // of the state after the step; empty: there is none
  std::string step;                          // the instruction, for people; shortened
  std::map<InputPart, std::string> parts;    // without files
  FileHashes hashes;                         // of the files that it reads, as they were found; until spell_files()
  std::map<std::string, std::string> files;  // path -> type, mode and content in short
  // What `files` has are directories of at most so many components, each for all that is in it. Unset: files.
  std::optional<std::size_t> grouped;
};

// Eight hexadecimal digits.
std::string short_hash(std::string_view text);

// What the instruction itself says. Files and what is read from elsewhere are the caller's.
void add_parts(StepInputs& inputs, const Step& step);
// `hashes` become `files`.
void spell_files(StepInputs& inputs);

// Files become directories of at most `components` components; what is at the top stays, with 0 all is one.
void group_files(StepInputs& inputs, std::size_t components);

}  // namespace kiln::engine
