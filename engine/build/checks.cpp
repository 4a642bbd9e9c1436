#include "engine/build/checks.hpp"

#include <algorithm>
#include <array>

#include <spdlog/spdlog.h>

#include "engine/dockerfile/directives.hpp"
#include "engine/dockerfile/lint.hpp"

namespace kiln::engine {

namespace {

// Arguments that BuildKit itself obeys and kiln does not: told, not swallowed.
void warn_of_builder_arguments(const BuildRequest& request) {
  constexpr std::array honoured = {"BUILDKIT_SYNTAX", "BUILDKIT_DOCKERFILE_CHECK", "BUILDKIT_SANDBOX_HOSTNAME",
                                   "BUILDKIT_CACHE_MOUNT_NS"};
  for (const auto& [name, value] : request.build_args) {
    if (!name.starts_with("BUILDKIT_") || std::ranges::find(honoured, name) != honoured.end()) continue;
    spdlog::warn("the build argument {} is an order to BuildKit, and does nothing here", name);
  }
}

}  // namespace

void check_frontend(const Session& session) {
  const auto& args = session.request.build_args;
  const auto given = args.find("BUILDKIT_SYNTAX");
  dockerfile::check_frontend_of(session.dockerfile_text, given == args.end() ? "" : given->second.value_or(""));
}

void check_dockerfile(const Session& session, const std::map<std::size_t, const oci::ImageConfig*>& bases) {
  const Plan& plan = session.plan;
  warn_of_builder_arguments(session.request);
  dockerfile::LintOptions options;
  options.build_args = plan.options.build_args;
  options.config = dockerfile::lint_config(plan.file, options.build_args);
  options.target_platform = plan.options.platform;
  options.build_platform = plan.options.build_platform;
  options.target = plan.options.target;
  options.wanted = [&plan](std::size_t stage) { return plan.stages[stage].needed && !plan.stages[stage].replaced; };
  if (session.context) {
    const auto& request = session.request;
    options.ignored = ignored_sources(load_ignore_file(request.dockerfile_path, request.context_directory));
  }
  options.base_config = [&bases](std::size_t stage) {
    const auto base = bases.find(stage);
    return base == bases.end() ? nullptr : base->second;
  };
  const auto findings = dockerfile::lint(plan.file, options);
  for (const auto& finding : findings) spdlog::warn("{}", dockerfile::describe(finding));
  dockerfile::check_findings(findings, options.config);
}

std::function<bool(std::string_view path)> ignored_sources(IgnoreMatcher ignore) {
  if (ignore.may_reinclude_below("")) return {};
  return [ignore = std::move(ignore)](std::string_view path) { return ignore.ignored(path); };
}

bool findings_are_errors(const Session& session) {
  const Plan& plan = session.plan;
  return dockerfile::lint_config(plan.file, plan.options.build_args).error;
}

}  // namespace kiln::engine
