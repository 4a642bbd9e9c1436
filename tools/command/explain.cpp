#include "tools/command/explain.hpp"

#include <array>
#include <cstdio>

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "tools/command/kiln.hpp"
#include "tools/command/kiln_flags.hpp"

namespace kiln::tools {

namespace {

constexpr auto own_explain_flags = std::to_array<Flag>({
    {"json", 0, ValueKind::boolean, "false", "JSON instead of lines"},
    {"cache-repo", 0, ValueKind::text, "", "where the cache is, as for the executor; unset: --cache-from, else <first name>/cache"},
});

std::span<const Flag> explain_flags() {
  static const std::vector<Flag> table = [] {
    std::vector<Flag> flags(own_explain_flags.begin(), own_explain_flags.end());
    const auto more = build_flags();
    flags.insert(flags.end(), more.begin(), more.end());
    return flags;
  }();
  return table;
}

}  // namespace

void print_report(const engine::CacheReport& report, bool json) {
  fmt::print("{}", json ? engine::report_json(report) : engine::report_text(report));
  std::fflush(stdout);
}

int explain_main(const std::vector<std::string>& arguments) {
  BuildCommand command = parse_build(arguments, explain_flags());
  if (command.help) {
    fmt::print(
        "Tells what a build with the same flags would find in the layer cache, and for every other step which of its inputs has "
        "changed since\n"
        "the nearest entry. Builds and writes nothing. After a step that runs again all later ones of its stage run again.\n\n"
        "Usage: kiln cache explain [flags] CONTEXT\n\nFlags:\n{}",
        flag_help(explain_flags()));
    return 0;
  }
  const ParsedFlags flags = parse_flags(explain_flags(), arguments);
  engine::BuildRequest& request = command.request;
  if (const std::string place = flags.text("cache-repo"); !place.empty()) request.cache.repository = place;
  if (request.cache.repository.empty() && request.destinations.empty()) {
    usage_error("kiln cache explain wants to know where the cache is: --cache-repo, --cache-from or -t");
  }
  request.cache.enabled = request.cache.read = request.cache.explain = true;
  request.cache.write = request.push = false;
  if (!flags.given("verbosity")) command.log.level = "warn";
  set_up_logging(command.log);
  for (const auto& warning : command.warnings) spdlog::warn("{}", warning);
  command.run.live = false;
  print_report(run_build(request, command.run).cache_report, flags.boolean("json"));
  return 0;
}

}  // namespace kiln::tools
