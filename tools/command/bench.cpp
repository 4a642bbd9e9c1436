#include "tools/command/bench.hpp"

#include <cstdlib>
#include <fstream>

#include <fmt/format.h>

#include "io/base/error.hpp"
#include "tools/command/bench_run.hpp"
#include "tools/command/work_directory.hpp"

namespace kiln::tools {

namespace {

std::string work_base(const ParsedFlags& flags) {
  if (flags.given("work-dir")) return flags.text("work-dir");
  const char* temporary = std::getenv("TMPDIR");
  return temporary ? temporary : "/var/tmp";
}

void write_report(const std::string& flag, const std::string& path, const MakeReport& report) {
  if (path.empty()) return;
  std::ofstream file(path, std::ios::trunc | std::ios::binary);
  file << report();
  file.flush();
  if (!file) throw io::Error(io::ErrorKind::filesystem, fmt::format("{}={}: it cannot be written", flag, path));
}

}  // namespace

unsigned parse_runs(const ParsedFlags& flags) {
  if (flags.integer("runs") < 1) usage_error("--runs: at least 1");
  return static_cast<unsigned>(flags.integer("runs"));
}

void with_bench_directory(const ParsedFlags& flags,
                          const std::function<void(io::Runtime& runtime, const std::string& directory)>& work) {
  WorkDirectory directory({work_base(flags)});
  directory.delete_in_foreground();
  io::Runtime runtime(io::RuntimeOptions{});
  work(runtime, directory.path());
}

void write_reports(const ParsedFlags& flags, const MakeReport& text, const MakeReport& json, const MakeReport& html) {
  const std::string json_file = flags.text("json");
  if (json_file == "-") {
    fmt::print("{}", json());
  } else {
    fmt::print("{}", text());
    write_report("--json", json_file, json);
  }
  write_report("--html", flags.text("html"), html);
}

int bench_main(const std::vector<std::string>& arguments) {
  const std::string name = arguments.empty() ? "" : arguments.front();
  if (name == "strategies") return bench_strategies_main({arguments.begin() + 1, arguments.end()});
  if (name == "unpack") return bench_unpack_main({arguments.begin() + 1, arguments.end()});
  if (name == "export") return bench_export_main({arguments.begin() + 1, arguments.end()});
  if (name.empty() || name == "--help" || name == "-h") {
    fmt::print(
        "kiln bench strategies [flags]   compare snapshot strategies\n"
        "kiln bench unpack [flags]       unpacking of layers, and a loop that does nothing else\n"
        "kiln bench export [flags]       writing of a layer, and what its bytes cost\n\n"
        "kiln bench NAME --help lists the flags\n");
    return name.empty() ? 1 : 0;
  }
  usage_error(fmt::format("unknown benchmark '{}': kiln bench strategies, unpack or export", name));
}

}  // namespace kiln::tools
