#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "bench/strategies/harness.hpp"
#include "bench/strategies/report.hpp"
#include "tools/command/bench_run.hpp"

namespace kiln::tools {

namespace {

constexpr auto strategies_flags = std::to_array<Flag>({
    {"entries", 0, ValueKind::slice, "50k", "size of the tree that is made (k: thousands); several: one tree after the other"},
    {"tree", 0, ValueKind::text, "",
     "directory to measure on a copy of, instead; it is only read, and what is mounted below it left out"},
    {"strategies", 0, ValueKind::slice, "", "which; unset: all"},
    {"changes", 0, ValueKind::slice, "", "what is changed; unset: every kind"},
    {"cache", 0, ValueKind::text, "warm", "warm, cold or both; cold drops the machine's caches (as root)"},
    {"runs", 0, ValueKind::integer, "3", "runs of each; medians are told"},
    json_flag,
    html_flag,
    work_dir_flag,
});

std::size_t parse_entries(const std::string& text) {
  const bool thousands = text.ends_with('k');
  const std::string digits = thousands ? text.substr(0, text.size() - 1) : text;
  const bool number = !digits.empty() && digits.size() <= 8 && digits.find_first_not_of("0123456789") == std::string::npos;
  const std::size_t entries = number ? std::stoul(digits) * (thousands ? 1000 : 1) : 0;
  if (entries < 100) usage_error(fmt::format("--entries={}: it is a number of at least 100, like 2000 or 500k", text));
  return entries;
}

bench::ChangeKind parse_change(const std::string& text) {
  std::string names;
  for (const bench::ChangeKind kind : bench::all_changes) {
    if (bench::name_of(kind) == text) return kind;
    names += fmt::format("{}{}", names.empty() ? "" : ", ", bench::name_of(kind));
  }
  usage_error(fmt::format("--changes={}: it is of {}", text, names));
}

std::vector<bench::CacheState> parse_cache(const std::string& text) {
  if (text == "warm") return {bench::CacheState::warm};
  if (text == "cold") return {bench::CacheState::cold};
  if (text == "both") return {bench::CacheState::warm, bench::CacheState::cold};
  usage_error(fmt::format("--cache={}: it is warm, cold or both", text));
}

bench::HarnessOptions parse_options(const ParsedFlags& flags) {
  if (!flags.arguments.empty()) usage_error(fmt::format("kiln bench strategies takes flags only: '{}'", flags.arguments.front()));
  bench::HarnessOptions options;
  options.tree = flags.text("tree");
  if (!options.tree.empty() && flags.given("entries"))
    usage_error("--entries is the size of the tree that is made: not with --tree");
  for (const auto& name : flags.list("strategies")) options.strategies.push_back(&bench::find_strategy(name));
  if (options.strategies.empty()) {
    for (const auto& strategy : bench::all_strategies()) options.strategies.push_back(&strategy);
  }
  for (const auto& name : flags.list("changes")) options.changes.push_back(parse_change(name));
  if (options.changes.empty()) options.changes.assign(bench::all_changes.begin(), bench::all_changes.end());
  options.cache_states = parse_cache(flags.text("cache"));
  options.runs = parse_runs(flags);
  return options;
}

io::Task<void> compare(io::Runtime& runtime, bench::HarnessOptions options, bench::Results& results) {
  results = co_await bench::compare_strategies(runtime, std::move(options));
}

bench::Results measure_tree(const ParsedFlags& flags, bench::HarnessOptions options) {
  bench::Results results;
  with_bench_directory(flags, [&](io::Runtime& runtime, const std::string& directory) {
    options.work_directory = directory;
    runtime.run(compare(runtime, options, results));
  });
  return results;
}

bench::AllResults run_harness(const ParsedFlags& flags) {
  bench::HarnessOptions options = parse_options(flags);
  std::vector<std::size_t> sizes;
  for (const auto& text : flags.list("entries")) sizes.push_back(parse_entries(text));
  if (sizes.empty()) sizes.push_back(parse_entries("50k"));
  bench::AllResults all;
  for (const std::size_t entries : sizes) {
    options.entries = entries;
    all.push_back(measure_tree(flags, options));
  }
  return all;
}

}  // namespace

int bench_strategies_main(const std::vector<std::string>& arguments) {
  const ParsedFlags flags = parse_flags(strategies_flags, arguments);
  if (flags.help) {
    fmt::print(
        "Compares snapshot strategies: how long each takes to find what a command changed, what it costs, and what it misses.\n"
        "Everything happens on a tree of its own below --work-dir, which is deleted at the end. A tree that is given by --tree is\n"
        "copied there first: nothing in it is ever changed.\n\n"
        "Usage: kiln bench strategies [flags]\n\nFlags:\n{}",
        flag_help(strategies_flags));
    return 0;
  }
  const bench::AllResults results = run_harness(flags);
  write_reports(
      flags, [&] { return bench::to_text(results); }, [&] { return bench::to_json(results); },
      [&] { return bench::to_html(results); });
  return std::ranges::all_of(results, &bench::Results::promises_kept) ? 0 : 1;
}

}  // namespace kiln::tools
