#include "tools/command/check.hpp"

#include <array>
#include <optional>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "engine/build/checks.hpp"
#include "engine/context/context.hpp"
#include "engine/dockerfile/diagnostics.hpp"
#include "engine/dockerfile/lint.hpp"
#include "engine/plan/fetches.hpp"
#include "engine/plan/plan.hpp"
#include "tools/command/dockerfile_input.hpp"
#include "tools/command/flags.hpp"

namespace kiln::tools {

namespace {

namespace dockerfile = engine::dockerfile;
using Json = nlohmann::ordered_json;

constexpr auto check_flags = std::to_array<Flag>({
    {"file", 'f', ValueKind::text, "", "Dockerfile; unset: Dockerfile in the context"},
    {"format", 0, ValueKind::text, "text", "text, or json in the form of docker build --call=check,format=json"},
    {"build-arg", 0, ValueKind::list, "", "NAME=value, or NAME to take the variable of that name"},
    {"target", 0, ValueKind::text, "", "stage that a build would be asked for"},
    {"platform", 0, ValueKind::text, "", "os/arch[/variant] that a build would be for; unset: this machine's"},
    {"build-context", 0, ValueKind::list, "", "NAME=VALUE as for kiln build"},
});

// What is checked, and what came of it.
struct Check {
  DockerfileInput input;
  std::vector<dockerfile::Warning> findings;
  std::optional<dockerfile::SyntaxError> error;
};

void examine(Check& check) {
  const DockerfileInput& input = check.input;
  const dockerfile::Dockerfile file = parse_input(input);
  dockerfile::LintOptions options;
  options.config = dockerfile::lint_config(file, input.options.build_args);
  options.build_args = input.options.build_args;
  options.target_platform = input.options.platform;
  options.build_platform = input.options.build_platform;
  options.target = input.options.target;
  if (!input.context.empty()) options.ignored = engine::ignored_sources(engine::load_ignore_file(input.path, input.context));
  check.findings = dockerfile::lint(file, options);
  const engine::Plan plan = engine::make_plan(file, input.name, input.options);
  engine::find_fetches(plan, input.name);  // what else a build would fail with, as far as it can be known without one
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
  document["sources"] = Json::array({{{"fileName", check.input.name}, {"language", "Dockerfile"}}});
  if (check.error) {
    document["buildError"]["message"] = check.error->reason();
    if (check.error->location().first_line > 0) document["buildError"]["location"] = location_of(check.error->location());
  }
  fmt::print("{}\n", document.dump(2, ' ', false, Json::error_handler_t::replace));
}

void print_text(const Check& check) {
  for (const auto& finding : check.findings) {
    const auto url = dockerfile::lint_rule(finding.rule).url();
    fmt::print("WARNING: {}{}\n{}\n{}:{}\n{}\n\n", finding.rule, url.empty() ? "" : " - " + url, finding.message, check.input.name,
               finding.location.first_line, dockerfile::source_excerpt(check.input.text, finding.location));
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
    usage_error(fmt::format("--format={}: it is text or json", format));
  }
  Check check;
  check.input = read_input("kiln check", flags);
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
