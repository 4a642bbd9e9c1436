#include "tools/command/bench.hpp"

#include <array>
#include <cstdlib>
#include <fstream>

#include <fmt/format.h>

#include "bench/strategies/harness.hpp"
#include "bench/strategies/report.hpp"
#include "io/base/error.hpp"
#include "tools/command/flags.hpp"
#include "tools/command/work_directory.hpp"

namespace kiln::tools {

namespace {

constexpr auto strategies_flags = std::to_array<Flag>({
    {"entries", 0, ValueKind::text, "50k", "size of the tree that is made (k: thousands)"},
    {"tree", 0, ValueKind::text, "", "directory to measure on a copy of, instead; it is only read"},
    {"strategies", 0, ValueKind::slice, "", "which; unset: all"},
    {"changes", 0, ValueKind::slice, "", "what is changed; unset: every kind"},
    {"cache", 0, ValueKind::text, "warm", "warm, cold or both; cold drops the machine's caches (as root)"},
    {"runs", 0, ValueKind::integer, "3", "runs of each; medians are told"},
    {"json", 0, ValueKind::text, "", "file for the results as JSON; -: standard output, and nothing else there"},
    {"html", 0, ValueKind::text, "", "file for the results as a page"},
    {"work-dir", 0, ValueKind::text, "", "where the tree is made; unset: $TMPDIR or /var/tmp"},
});

[[noreturn]] void usage(const std::string& message) { throw io::Error(io::ErrorKind::usage, message); }

std::size_t parse_entries(const std::string& text) {
  const bool thousands = text.ends_with('k');
  const std::string digits = thousands ? text.substr(0, text.size() - 1) : text;
  const bool number = !digits.empty() && digits.size() <= 8 && digits.find_first_not_of("0123456789") == std::string::npos;
  const std::size_t entries = number ? std::stoul(digits) * (thousands ? 1000 : 1) : 0;
  if (entries < 100) usage(fmt::format("--entries={}: it is a number of at least 100, like 2000 or 500k", text));
  return entries;
}

bench::ChangeKind parse_change(const std::string& text) {
  std::string names;
  for (const bench::ChangeKind kind : bench::all_changes) {
    if (bench::name_of(kind) == text) return kind;
    names += fmt::format("{}{}", names.empty() ? "" : ", ", bench::name_of(kind));
  }
  usage(fmt::format("--changes={}: it is of {}", text, names));
}

std::vector<bench::CacheState> parse_cache(const std::string& text) {
  if (text == "warm") return {bench::CacheState::warm};
  if (text == "cold") return {bench::CacheState::cold};
  if (text == "both") return {bench::CacheState::warm, bench::CacheState::cold};
  usage(fmt::format("--cache={}: it is warm, cold or both", text));
}

bench::HarnessOptions parse_options(const ParsedFlags& flags) {
  if (!flags.arguments.empty()) usage(fmt::format("kiln bench strategies takes flags only: '{}'", flags.arguments.front()));
  bench::HarnessOptions options;
  options.tree = flags.text("tree");
  if (!options.tree.empty() && flags.given("entries")) usage("--entries is the size of the tree that is made: not with --tree");
  options.entries = parse_entries(flags.text("entries"));
  for (const auto& name : flags.list("strategies")) options.strategies.push_back(&bench::find_strategy(name));
  if (options.strategies.empty()) {
    for (const auto& strategy : bench::all_strategies()) options.strategies.push_back(&strategy);
  }
  for (const auto& name : flags.list("changes")) options.changes.push_back(parse_change(name));
  if (options.changes.empty()) options.changes.assign(bench::all_changes.begin(), bench::all_changes.end());
  options.cache_states = parse_cache(flags.text("cache"));
  if (flags.integer("runs") < 1) usage("--runs: at least 1");
  options.runs = static_cast<unsigned>(flags.integer("runs"));
  return options;
}

std::string work_base(const ParsedFlags& flags) {
  if (flags.given("work-dir")) return flags.text("work-dir");
  const char* temporary = std::getenv("TMPDIR");
  return temporary ? temporary : "/var/tmp";
}

void write_report(const std::string& flag, const std::string& path, const std::string& text) {
  if (path.empty()) return;
  std::ofstream file(path, std::ios::trunc | std::ios::binary);
  file << text;
  file.flush();
  if (!file) throw io::Error(io::ErrorKind::filesystem, fmt::format("{}={}: it cannot be written", flag, path));
}

io::Task<void> compare(io::Runtime& runtime, bench::HarnessOptions options, bench::Results& results) {
  results = co_await bench::compare_strategies(runtime, std::move(options));
}

bench::Results run_harness(bench::HarnessOptions options, const std::string& base) {
  WorkDirectory work({base});
  work.delete_in_foreground();
  options.work_directory = work.path();
  io::Runtime runtime(io::RuntimeOptions{});
  bench::Results results;
  runtime.run(compare(runtime, std::move(options), results));
  return results;
}

int strategies_main(const std::vector<std::string>& arguments) {
  const ParsedFlags flags = parse_flags(strategies_flags, arguments);
  if (flags.help) {
    fmt::print(
        "Compares snapshot strategies: how long each takes to find what a command changed, what it costs, and what it misses.\n"
        "Everything happens on a tree of its own below --work-dir, which is deleted at the end.\n\n"
        "Usage: kiln bench strategies [flags]\n\nFlags:\n{}",
        flag_help(strategies_flags));
    return 0;
  }
  const bench::Results results = run_harness(parse_options(flags), work_base(flags));
  const std::string json = flags.text("json");
  if (json == "-") {
    fmt::print("{}", bench::to_json(results));
  } else {
    fmt::print("{}", bench::to_text(results));
    write_report("--json", json, bench::to_json(results));
  }
  write_report("--html", flags.text("html"), bench::to_html(results));
  return results.promises_kept() ? 0 : 1;
}

}  // namespace

int bench_main(const std::vector<std::string>& arguments) {
  const std::string name = arguments.empty() ? "" : arguments.front();
  if (name == "strategies") return strategies_main({arguments.begin() + 1, arguments.end()});
  if (name.empty() || name == "--help" || name == "-h") {
    fmt::print("kiln bench strategies [flags]   compare snapshot strategies; kiln bench strategies --help lists the flags\n");
    return name.empty() ? 1 : 0;
  }
  usage(fmt::format("unknown benchmark '{}': kiln bench strategies", name));
}

}  // namespace kiln::tools
