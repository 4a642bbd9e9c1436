#include "tools/command/check.hpp"

#include <array>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>
#include <optional>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "engine/context/context.hpp"
#include "engine/dockerfile/diagnostics.hpp"
#include "engine/dockerfile/directives.hpp"
#include "engine/dockerfile/lint.hpp"
#include "engine/plan/plan.hpp"
#include "tools/command/flags.hpp"
#include "tools/command/values.hpp"

namespace kiln::tools {

namespace {

namespace fs = std::filesystem;
namespace dockerfile = engine::dockerfile;
using Json = nlohmann::ordered_json;

constexpr auto check_flags = std::to_array<Flag>({
    {"file", 'f', ValueKind::text, "", "Dockerfile; unset: Dockerfile in the context"},
    {"format", 0, ValueKind::text, "text", "text, or json in the form of docker build --call=check,format=json"},
    {"build-arg", 0, ValueKind::list, "", "NAME=value, or NAME to take the variable of that name"},
    {"target", 0, ValueKind::text, "", "stage that a build would be asked for"},
    {"platform", 0, ValueKind::text, "", "os/arch[/variant] that a build would be for; unset: this machine's"},
});

// What is checked, and what came of it.
struct Check {
  std::string name;  // of the file, as it is told
  std::string text;
  std::string context;  // empty: only a file
  std::string path;
  std::map<std::string, std::string> build_args;
  engine::PlanOptions plan;

  std::vector<dockerfile::Warning> findings;
  std::optional<dockerfile::SyntaxError> error;
};

std::string read_all(const std::string& path) {
  if (path == "-") return {std::istreambuf_iterator<char>(std::cin), {}};
  std::ifstream file(path, std::ios::binary);
  if (!file || fs::is_directory(path)) throw io::Error(io::ErrorKind::context, fmt::format("Dockerfile '{}' cannot be read", path));
  return {std::istreambuf_iterator<char>(file), {}};
}

// CONTEXT is a directory, or the Dockerfile itself, or "-" for standard input.
void find_file(Check& check, const std::string& argument, const std::string& named) {
  std::error_code ignored;
  if (fs::is_directory(argument, ignored)) {
    check.context = fs::absolute(argument).lexically_normal();
    check.path = named == "-" ? named : find_dockerfile(named.empty() ? check.context + "/Dockerfile" : named, check.context);
  } else if (!named.empty()) {
    throw io::Error(io::ErrorKind::usage, fmt::format("--file={}: '{}' is not a directory", named, argument));
  } else {
    check.path = argument;
  }
  check.name = check.path == "-" ? "Dockerfile" : fs::path(check.path).filename().string();
  check.text = read_all(check.path);
}

Check make_check(const ParsedFlags& flags) {
  if (flags.arguments.size() != 1) {
    throw io::Error(io::ErrorKind::usage,
                    fmt::format("kiln check wants one CONTEXT, a directory or a Dockerfile; there are {}", flags.arguments.size()));
  }
  Check check;
  engine::BuildRequest request;
  for (const auto& text : flags.list("build-arg")) add_build_arg(request, text);
  for (const auto& [name, value] : request.build_args) {
    if (value) check.build_args[name] = *value;
  }
  check.plan.build_args = check.build_args;
  check.plan.target = flags.text("target");
  check.plan.build_platform = oci::host_platform();
  const std::string platform = flags.text("platform");
  check.plan.platform = platform.empty() ? oci::host_platform() : oci::parse_platform(platform);
  find_file(check, flags.arguments.front(), flags.text("file"));
  return check;
}

void examine(Check& check) {
  const auto syntax = check.build_args.find("BUILDKIT_SYNTAX");
  const bool wins = syntax != check.build_args.end() && !syntax->second.empty();
  dockerfile::check_frontend(wins ? syntax->second : dockerfile::find_syntax(check.text));
  const dockerfile::Dockerfile file = dockerfile::parse_dockerfile(check.text, check.name);
  dockerfile::LintOptions options;
  options.config = dockerfile::lint_config(file, check.build_args);
  options.build_args = check.build_args;
  options.target_platform = check.plan.platform;
  options.build_platform = check.plan.build_platform;
  options.target = check.plan.target;
  std::optional<engine::IgnoreMatcher> ignore;
  if (!check.context.empty()) {
    ignore = engine::load_ignore_file(check.path, check.context);
    options.ignored = [&ignore](std::string_view path) { return ignore->ignored(path); };
  }
  check.findings = dockerfile::lint(file, options);
  engine::make_plan(file, check.name, check.plan);
  dockerfile::check_findings(check.findings, options.config);
}

Json location_of(const dockerfile::Location& location) {
  const Json start = {{"line", location.first_line}, {"character", std::max(0, location.first_column - 1)}};
  const Json end = {{"line", location.last_line}, {"character", std::max(0, location.last_column - 1)}};
  return {{"sourceIndex", 0}, {"ranges", Json::array({{{"start", start}, {"end", end}}})}};
}

void print_json(const Check& check) {
  Json document;
  document["warnings"] = Json::array();
  for (const auto& finding : check.findings) {
    const auto& rule = dockerfile::lint_rule(finding.rule);
    document["warnings"].push_back({{"ruleName", finding.rule},
                                    {"description", rule.description},
                                    {"url", rule.url()},
                                    {"detail", finding.message},
                                    {"location", location_of(finding.location)}});
  }
  document["sources"] = Json::array({{{"fileName", check.name}, {"language", "Dockerfile"}}});
  if (check.error) {
    document["buildError"]["message"] = check.error->reason();
    if (check.error->location().first_line > 0) document["buildError"]["location"] = location_of(check.error->location());
  }
  fmt::print("{}\n", document.dump(2, ' ', false, Json::error_handler_t::replace));
}

void print_text(const Check& check) {
  for (const auto& finding : check.findings) {
    const auto url = dockerfile::lint_rule(finding.rule).url();
    fmt::print("WARNING: {}{}\n{}\n{}:{}\n{}\n\n", finding.rule, url.empty() ? "" : " - " + url, finding.message, check.name,
               finding.location.first_line, dockerfile::source_excerpt(check.text, finding.location));
  }
  if (check.error) fmt::print("ERROR: {}\n\n", check.error->message());
  const std::size_t count = check.findings.size();
  if (count == 0) {
    fmt::print("Check complete, {}.\n", check.error ? "the build would fail" : "no warnings found");
  } else {
    fmt::print("Check complete, {} warning{} been found!\n", count, count == 1 ? " has" : "s have");
  }
}

}  // namespace

int check_main(const std::vector<std::string>& arguments) {
  const ParsedFlags flags = parse_flags(check_flags, arguments);
  if (flags.help) {
    fmt::print(
        "Checks a Dockerfile without building it. CONTEXT is a directory, a Dockerfile, or - for standard input.\n"
        "Exit code 1: the build would fail, or there are findings and the file says # check=error=true; else 0.\n\n"
        "Usage: kiln check [flags] CONTEXT\n\nFlags:\n{}",
        flag_help(check_flags));
    return 0;
  }
  const std::string format = flags.text("format");
  if (format != "text" && format != "json") {
    throw io::Error(io::ErrorKind::usage, fmt::format("--format={}: it is text or json", format));
  }
  Check check = make_check(flags);
  try {
    examine(check);
  } catch (const dockerfile::SyntaxError& error) {
    check.error = error;
  } catch (const io::Error& error) {
    check.error = dockerfile::SyntaxError(error.message(), error.message(), {});
  }
  format == "json" ? print_json(check) : print_text(check);
  return check.error ? 1 : 0;
}

}  // namespace kiln::tools
