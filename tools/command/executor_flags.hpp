// The executor's flags and variables, as both Kanikos have them (v1.24 and the fork's v1.28), and kiln's own.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "tools/command/flags.hpp"

namespace kiln::tools {

std::span<const Flag> executor_flags();
// Those of them that say how registries are reached; `kiln build` has the same.
std::span<const Flag> registry_flags();
// Those of these that say how images are pulled; the warmer has the same.
std::span<const Flag> pull_flags();
// Those that every command with a log has.
std::span<const Flag> log_flags();

struct Variable {
  std::string_view name;
  FlagState state = FlagState::honoured;
  std::string_view help;
};
std::span<const Variable> executor_variables();

// A feature switch of the fork (FF_KANIKO_NAME): what kiln does about it.
enum class Switch {
  always_on,   // only the on state exists here, and off would change the image: an explicit off is an error
  either_way,  // the image is the same: no effect
  honoured,
};
struct FeatureSwitch {
  std::string_view name;  // without FF_KANIKO_
  Switch effect;
};
std::span<const FeatureSwitch> feature_switches();

// Looks at the KANIKO_* and FF_KANIKO_* variables; gives warnings for those that have no effect here and are set to
// have one, and for unknown ones. Errors: io::Error(unsupported) for one that asks for an image that kiln does not
// make.
std::vector<std::string> check_environment(const std::vector<std::string>& environment);

// The README's tables of flags and variables.
std::string executor_markdown();

}  // namespace kiln::tools
