#include "tools/command/push.hpp"

#include <algorithm>
#include <array>

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "tools/command/executor_flags.hpp"
#include "tools/command/logging.hpp"
#include "tools/command/run_build.hpp"
#include "tools/command/values.hpp"

namespace kiln::tools {

namespace {

// Those of the executor that are about pushing.
std::vector<Flag> push_flags() {
  constexpr auto names =
      std::to_array<std::string_view>({"destination", "digest-file", "image-name-with-digest-file",
                                       "image-name-tag-with-digest-file", "trace-file", "memory-budget", "work-dir"});
  std::vector<Flag> table;
  for (const auto& shared : {registry_flags(), log_flags()}) table.insert(table.end(), shared.begin(), shared.end());
  std::ranges::copy_if(executor_flags(), std::back_inserter(table),
                       [&](const Flag& flag) { return std::ranges::find(names, flag.name) != names.end(); });
  return table;
}

}  // namespace

int push_main(const std::vector<std::string>& arguments) {
  const std::vector<Flag> table = push_flags();
  const ParsedFlags flags = parse_flags(table, arguments);
  if (flags.help) {
    fmt::print(
        "Pushes an image from a docker-save archive or an OCI layout directory.\n\n"
        "Usage: executor push [flags] --destination IMAGE PATH\n\nFlags:\n{}",
        flag_help(table));
    return 0;
  }
  if (flags.arguments.size() != 1) usage_error("executor push wants one PATH: an archive or a layout");
  engine::BuildRequest request;
  resolve_destinations(request, flags);
  if (request.destinations.empty()) usage_error("no --destination: name where to push the image");
  resolve_digest_files(request, flags);
  resolve_registries(request.registries, flags);
  request.work_directory = absolute_path(flags.text("work-dir"));
  RunSettings settings;
  settings.saved_image = flags.arguments.front();
  settings.trace_file = flags.text("trace-file");
  settings.memory_budget = parse_size("--memory-budget", flags.text("memory-budget"));
  set_up_logging(log_settings(flags));
  for (const auto& warning : flags.warnings) spdlog::warn("{}", warning);
  run_build(request, settings);
  return 0;
}

}  // namespace kiln::tools
