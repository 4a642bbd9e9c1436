#include "tools/command/cache.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <limits>
#include <optional>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "engine/build/registries.hpp"
#include "engine/cache/store.hpp"
#include "engine/dockerfile/durations.hpp"
#include "io/base/error.hpp"
#include "io/base/seconds_now.hpp"
#include "oci/image/config.hpp"
#include "tools/command/executor_flags.hpp"
#include "tools/command/flags.hpp"
#include "tools/command/values.hpp"

namespace kiln::tools {

namespace {

using Json = nlohmann::ordered_json;
using enum ValueKind;

constexpr auto own_cache_flags = std::to_array<Flag>({
    {"json", 0, boolean, "false", "JSON instead of a table"},
    {"older-than", 0, text, "", "prune: what was made longer ago, as in 168h"},
    {"unused-for", 0, text, "", "prune: what was not used for longer; of a directory"},
    {"keep-size", 0, text, "", "prune: what is over this size (k, m, g), the newest or what was used last stays"},
    {"unreachable", 0, boolean, "false",
     "prune: only what no build can use any more, as without any limit: an entry whose layer or whose entry before is gone, files "
     "that no entry names"},
    {"all", 0, boolean, "false", "prune: everything"},
    {"dry-run", 0, boolean, "false", "prune: only tell what would be deleted"},
});

std::span<const Flag> cache_flags() {
  static const std::vector<Flag> table = [] {
    std::vector<Flag> flags(own_cache_flags.begin(), own_cache_flags.end());
    const auto more = registry_flags();
    flags.insert(flags.end(), more.begin(), more.end());
    return flags;
  }();
  return table;
}

struct CacheCommand {
  std::string action;
  std::string place;  // as --cache-repo has it
  engine::PruneLimits limits;
  engine::RegistrySettings registries;
  bool json = false;
};

// A path is a directory, as --cache-dir has it.
std::string resolve_place(const std::string& text) {
  const bool path = text.starts_with('/') || text.starts_with('.');
  return path ? "oci:" + text : text;
}

std::optional<std::int64_t> moment(const ParsedFlags& flags, const std::string& name) {
  const std::string text = flags.text(name);
  if (text.empty()) return std::nullopt;
  const auto age = io::with_context(fmt::format("--{}={}", name, text), [&] {
    return std::chrono::duration_cast<std::chrono::seconds>(engine::dockerfile::parse_duration(text));
  });
  return io::seconds_now() - age.count();
}

CacheCommand parse_cache(const ParsedFlags& flags) {
  if (flags.arguments.size() != 2)
    usage_error("kiln cache wants list or prune, and one PLACE, or explain and what kiln build wants");
  CacheCommand command;
  command.action = flags.arguments[0];
  command.place = resolve_place(flags.arguments[1]);
  command.json = flags.boolean("json");
  resolve_registries(command.registries, flags);
  engine::PruneLimits& limits = command.limits;
  limits.created_after = moment(flags, "older-than");
  limits.used_after = moment(flags, "unused-for");
  if (const std::string size = flags.text("keep-size"); !size.empty()) limits.size = parse_size("--keep-size", size);
  if (flags.boolean("all")) limits.created_after = std::numeric_limits<std::int64_t>::max();
  limits.dry_run = flags.boolean("dry-run");
  if (command.action != "list" && command.action != "prune") {
    usage_error(fmt::format("kiln cache {}: it is list or prune", command.action));
  }
  if (flags.boolean("unreachable") && (limits.created_after || limits.used_after || limits.size)) {
    usage_error("--unreachable is prune without a limit: what no build can use always goes");
  }
  for (const auto& flag : own_cache_flags) {
    if (command.action == "list" && flag.name != "json" && flags.given(flag.name))
      usage_error(fmt::format("--{} is for prune", flag.name));
  }
  return command;
}

std::string time_text(std::int64_t seconds) {
  return seconds == 0 ? "" : oci::format_rfc3339(oci::Timestamp(std::chrono::seconds(seconds)));
}

std::string size_text(std::uint64_t bytes) {
  if (bytes < 10'000) return fmt::format("{} B", bytes);
  if (bytes < 10'000'000) return fmt::format("{} kB", bytes / 1000);
  return fmt::format("{} MB", bytes / 1'000'000);
}

Json to_json(const engine::StoredEntry& entry) {
  constexpr const char* kinds[] = {"layer", "image", "mount", "files"};
  Json json = {{"name", entry.name},
               {"kind", kinds[static_cast<std::size_t>(entry.kind)]},
               {"digest", entry.manifest.text()},
               {"created", time_text(entry.created)}};
  if (entry.used != 0) json["used"] = time_text(entry.used);
  json["size"] = entry.size;
  if (!entry.step.empty()) json["step"] = entry.step;
  if (!entry.problem.empty()) json["problem"] = entry.problem;
  return json;
}

Json to_json(const std::vector<engine::StoredEntry>& entries) {
  Json list = Json::array();
  for (const auto& entry : entries) list.push_back(to_json(entry));
  return list;
}

void print_table(const std::vector<engine::StoredEntry>& entries) {
  std::uint64_t size = 0;
  for (const auto& entry : entries) {
    size += entry.size;
    const std::string what = entry.problem.empty() ? entry.step : fmt::format("{} (cannot be used: {})", entry.step, entry.problem);
    fmt::print("{:<20}  {:>8}  {}  {}\n", time_text(entry.created), size_text(entry.size), entry.name, what);
  }
  fmt::print("{} entries, {}\n", entries.size(), size_text(size));
}

void print_json(const Json& json) { fmt::print("{}\n", json.dump(2, ' ', false, Json::error_handler_t::replace)); }

io::Task<void> run_command(io::Runtime& runtime, const CacheCommand& command) {
  engine::RegistryConnections connections(runtime, command.registries);
  const std::unique_ptr<engine::CacheStore> store = engine::open_cache_store(runtime, connections.hub, command.place);
  if (command.action == "list") {
    const std::vector<engine::StoredEntry> entries = co_await store->list();
    command.json ? print_json(to_json(entries)) : print_table(entries);
    co_return;
  }
  const engine::Pruned pruned = co_await store->prune(command.limits);
  if (command.json) {
    print_json({{"deleted", to_json(pruned.entries)}, {"bytes", pruned.bytes}, {"dryRun", command.limits.dry_run}});
    co_return;
  }
  for (const auto& entry : pruned.entries) fmt::print("{}  {}\n", entry.name, entry.problem.empty() ? entry.step : entry.problem);
  fmt::print("{} {} entries, {}\n", command.limits.dry_run ? "would delete" : "deleted", pruned.entries.size(),
             size_text(pruned.bytes));
}

}  // namespace

int cache_main(const std::vector<std::string>& arguments) {
  const ParsedFlags flags = parse_flags(cache_flags(), arguments);
  if (flags.help) {
    fmt::print(
        "Shows what a cache holds, or deletes of it. PLACE is a repository (as --cache-repo), oci:/dir, or a path (as "
        "--cache-dir).\n"
        "What no build can use any more is always deleted: an entry without its layer or without the one of the step before it, in "
        "a "
        "directory\n"
        "also what no entry names. An entry counts as young, or as lately used, as what is built on it. A registry frees the space "
        "of "
        "what\n"
        "it deletes when it collects its garbage.\n\n"
        "Usage: kiln cache list [flags] PLACE, kiln cache prune [flags] PLACE, kiln cache explain [flags] CONTEXT (with --help: "
        "its "
        "flags)\n\nFlags:\n{}",
        flag_help(cache_flags()));
    return 0;
  }
  const CacheCommand command = parse_cache(flags);
  io::Runtime runtime(io::RuntimeOptions{});
  runtime.run(run_command(runtime, command));
  return 0;
}

}  // namespace kiln::tools
