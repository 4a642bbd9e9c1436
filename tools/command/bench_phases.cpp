// `kiln bench unpack` and `kiln bench export`.
#include <array>
#include <utility>

#include <fmt/format.h>

#include "bench/phases/export.hpp"
#include "bench/phases/unpack.hpp"
#include "tools/command/bench_run.hpp"

namespace kiln::tools {

namespace {

constexpr Flag runs_flag = {"runs", 0, ValueKind::integer, "3", "runs of each; medians are told"};

constexpr auto unpack_flags = std::to_array<Flag>({
    {"image", 0, ValueKind::text, "", "OCI layout whose layers are unpacked: DIRECTORY or DIRECTORY:TAG"},
    {"tree", 0, ValueKind::text, "/usr", "directory that is packed into layers first, without --image; it is only read"},
    runs_flag,
    json_flag,
    html_flag,
    work_dir_flag,
});

constexpr auto export_flags = std::to_array<Flag>({
    {"tree", 0, ValueKind::text, "/usr", "directory whose files are put into the layer; it is only read"},
    {"size", 0, ValueKind::text, "3g", "bytes of files in the layer (k, m, g); those of the directory as often as it takes"},
    runs_flag,
    json_flag,
    html_flag,
    work_dir_flag,
});

void report(const ParsedFlags& flags, const bench::PhaseResults& results) {
  write_reports(
      flags, [&] { return bench::to_text(results); }, [&] { return bench::to_json(results); },
      [&] { return bench::to_html(results); });
}

io::Task<void> keep(io::Task<bench::PhaseResults> measuring, bench::PhaseResults& results) {
  results = co_await std::move(measuring);
}

// What both have in common; gives the exit code.
template <class Options>
int measure(const ParsedFlags& flags, Options options, io::Task<bench::PhaseResults> (*measurement)(io::Runtime&, Options)) {
  options.runs = parse_runs(flags);
  bench::PhaseResults results;
  with_bench_directory(flags, [&](io::Runtime& runtime, const std::string& directory) {
    options.work_directory = directory;
    runtime.run(keep(measurement(runtime, options), results));
  });
  report(flags, results);
  return 0;
}

// Prints the help if that is wanted.
bool helped(const ParsedFlags& flags, std::string_view name, std::string_view about, std::span<const Flag> table) {
  if (flags.help) fmt::print("{}\n\nUsage: kiln bench {} [flags]\n\nFlags:\n{}", about, name, flag_help(table));
  if (!flags.help && !flags.arguments.empty()) {
    usage_error(fmt::format("kiln bench {} takes flags only: '{}'", name, flags.arguments.front()));
  }
  return flags.help;
}

}  // namespace

int bench_unpack_main(const std::vector<std::string>& arguments) {
  const ParsedFlags flags = parse_flags(unpack_flags, arguments);
  if (helped(flags, "unpack",
             "Unpacks layers with kiln, and by a loop on each core that reads, inflates and creates the same files and does\n"
             "nothing else. Everything is written below --work-dir, and deleted at the end.",
             unpack_flags)) {
    return 0;
  }
  if (flags.given("image") && flags.given("tree")) usage_error("--image and --tree: one of them");
  bench::UnpackOptions options;
  options.image = flags.text("image");
  options.tree = flags.text("tree");
  return measure(flags, std::move(options), bench::measure_unpack);
}

int bench_export_main(const std::vector<std::string>& arguments) {
  const ParsedFlags flags = parse_flags(export_flags, arguments);
  if (helped(
          flags, "export",
          "Writes one layer with kiln, and tells what its bytes cost: reading them, ISA-L, and SHA-256 of both sides, each on one\n"
          "thread that does nothing else. The layer is written below --work-dir, and deleted at the end.",
          export_flags)) {
    return 0;
  }
  bench::ExportOptions options;
  options.tree = flags.text("tree");
  options.bytes = parse_size("--size", flags.text("size"));
  return measure(flags, std::move(options), bench::measure_export);
}

}  // namespace kiln::tools
