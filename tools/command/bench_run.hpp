// What the sub-commands of `kiln bench` have in common: a place to work in, and reports.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "io/loop/runtime.hpp"
#include "tools/command/flags.hpp"

namespace kiln::tools {

inline constexpr Flag json_flag = {"json", 0, ValueKind::text, "",
                                   "file for the results as JSON; -: standard output, and nothing else there"};
inline constexpr Flag html_flag = {"html", 0, ValueKind::text, "", "file for the results as a page"};
inline constexpr Flag work_dir_flag = {"work-dir", 0, ValueKind::text, "", "where files are made; unset: $TMPDIR or /var/tmp"};

// At least 1. Errors: io::Error(usage).
unsigned parse_runs(const ParsedFlags& flags);

// Calls `work` with a fresh directory below --work-dir, which is deleted afterwards.
void with_bench_directory(const ParsedFlags& flags,
                          const std::function<void(io::Runtime& runtime, const std::string& directory)>& work);

// As --json and --html say. Errors: io::Error(filesystem) naming the flag.
using MakeReport = std::function<std::string()>;
void write_reports(const ParsedFlags& flags, const MakeReport& text, const MakeReport& json, const MakeReport& html);

// The sub-commands; arguments after their name. Give the exit code.
int bench_strategies_main(const std::vector<std::string>& arguments);
int bench_unpack_main(const std::vector<std::string>& arguments);
int bench_export_main(const std::vector<std::string>& arguments);

}  // namespace kiln::tools
