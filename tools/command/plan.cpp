#include "tools/command/plan.hpp"

#include <array>

#include <fmt/format.h>

#include "engine/plan/print.hpp"
#include "tools/command/dockerfile_input.hpp"
#include "tools/command/flags.hpp"

namespace kiln::tools {

namespace {

constexpr auto plan_flags = std::to_array<Flag>({
    {"file", 'f', ValueKind::text, "", "Dockerfile; unset: Dockerfile in the context"},
    {"target", 0, ValueKind::text, "", "stage to build; unset: the last"},
    {"build-arg", 0, ValueKind::list, "", "NAME=value, or NAME to take the variable of that name"},
    {"build-context", 0, ValueKind::list, "", "NAME=VALUE as for kiln build"},
    {"platform", 0, ValueKind::text, "", "os/arch[/variant] of base images and result; unset: this machine's"},
    {"json", 0, ValueKind::boolean, "false", "JSON, with every instruction in its parsed form"},
});

}  // namespace

int plan_main(const std::vector<std::string>& arguments) {
  const ParsedFlags flags = parse_flags(plan_flags, arguments);
  if (flags.help) {
    fmt::print(
        "Shows what a build would do: stages, instructions, and what is fetched. CONTEXT is a directory, a Dockerfile, or - for\n"
        "standard input. No server is asked: what the environment or the ONBUILD triggers of a base image add is not shown.\n\n"
        "Usage: kiln plan [flags] CONTEXT\n\nFlags:\n{}",
        flag_help(plan_flags));
    return 0;
  }
  const DockerfileInput input = read_input("kiln plan", flags);
  const engine::Plan plan = engine::make_plan(parse_input(input), input.name, input.options);
  const engine::Fetches fetches = engine::find_fetches(plan, input.name);
  fmt::print("{}", flags.boolean("json") ? engine::print_plan_json(plan, fetches, input.name) : engine::print_plan(plan, fetches));
  return 0;
}

}  // namespace kiln::tools
