#include "tools/command/warmer.hpp"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <iterator>

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "engine/build/registries.hpp"
#include "engine/context/remote.hpp"
#include "engine/plan/fetches.hpp"
#include "engine/plan/plan.hpp"
#include "io/base/error.hpp"
#include "tools/command/dockerfile_input.hpp"
#include "tools/command/executor_flags.hpp"
#include "tools/command/flags.hpp"
#include "tools/command/logging.hpp"
#include "tools/command/values.hpp"

namespace kiln::tools {

namespace {

namespace fs = std::filesystem;
using enum ValueKind;

constexpr auto own_warmer_flags = std::to_array<Flag>({
    {"image", 'i', list, "", "image to store"},
    {"dockerfile", 'd', text, "", "store the images that this Dockerfile is built from; a path or an http(s):// URL"},
    {"build-arg", 0, list, "", "NAME=value for its ARGs, or NAME to take the variable of that name"},
    {"cache-dir", 'c', text, "/cache", "where images are stored: an OCI layout, made when missing"},
    {"force", 'f', boolean, "false", "download what is there, too"},
    {"cache-ttl", 0, text, "336h", "with --cache-limit: what was not used for longer is deleted first"},
    {"cache-limit", 0, text, "0", "kiln's own: size that the directory is kept below (k, m, g); 0: nothing is deleted"},
    {"customPlatform", 0, text, "", "os/arch[/variant]; unset: this machine's"},
    {"custom-platform", 0, text, "", "kiln's own: the same in the executor's spelling"},
});

std::vector<Flag> make_warmer_flags() {
  std::vector<Flag> table(own_warmer_flags.begin(), own_warmer_flags.end());
  for (const auto& shared : {log_flags(), pull_flags()}) table.insert(table.end(), shared.begin(), shared.end());
  table.push_back({"help-table", 0, boolean, "false", "print the README's table", FlagState::honoured, "", true});
  return table;
}

std::span<const Flag> warmer_flags() {
  static const std::vector<Flag> table = make_warmer_flags();
  return table;
}

std::string help_text() {
  return "Stores base images in a directory that builds then take them from. Takes the command line of Kaniko's warmer.\n"
         "Exit code 1: no image could be stored.\n\nUsage: warmer [flags]\n\nFlags:\n" +
         flag_help(warmer_flags());
}

void resolve_request(WarmerCommand& command, const ParsedFlags& flags) {
  engine::WarmRequest& request = command.request;
  const std::string platform = flags.given("custom-platform") ? flags.text("custom-platform") : flags.text("customPlatform");
  command.platform = platform.empty() ? oci::host_platform() : oci::parse_platform(platform);
  for (const auto& image : flags.list("image")) request.images.push_back({oci::parse_reference(image), command.platform});
  command.dockerfile = flags.text("dockerfile");
  engine::BuildRequest args;
  for (const auto& argument : flags.list("build-arg")) add_build_arg(args, argument);
  for (const auto& [name, value] : args.build_args) command.build_args[name] = value.value_or("");
  request.directory = fs::absolute(flags.text("cache-dir")).lexically_normal();
  request.force = flags.boolean("force");
  request.ttl = parse_ttl(flags);
  request.limit = parse_size("--cache-limit", flags.text("cache-limit"));
  resolve_pulls(request.registries, flags);
  if (request.images.empty() && command.dockerfile.empty()) {
    usage_error("the warmer wants at least one --image, or a --dockerfile");
  }
}

// A Dockerfile from a server, through a file of the directory, which is a place that can be written to.
io::Task<std::string> fetch_dockerfile(io::Runtime& runtime, const WarmerCommand& command) {
  engine::RegistryConnections connections(runtime, command.request.registries);
  fs::create_directories(command.request.directory);
  const std::string path = fmt::format("{}/.kiln-dockerfile-{}", command.request.directory, getpid());
  std::exception_ptr failure;
  std::string text;
  try {
    co_await engine::fetch_file(runtime, connections.http, command.dockerfile, path);
    text = read_dockerfile(path);
  } catch (...) {
    failure = std::current_exception();
  }
  unlink(path.c_str());
  if (failure) std::rethrow_exception(failure);
  co_return text;
}

io::Task<void> warm_all(io::Runtime& runtime, WarmerCommand& command, std::vector<engine::WarmResult>& results) {
  std::string text;
  if (command.dockerfile.find("://") != std::string::npos) {
    text = co_await fetch_dockerfile(runtime, command);
  } else if (!command.dockerfile.empty()) {
    text = read_dockerfile(command.dockerfile);
  }
  for (auto& image : images_of(text, command)) command.request.images.push_back(std::move(image));
  results = co_await engine::warm(runtime, command.request);
}

// Logs what came of every image; gives how many failed.
std::size_t report(const WarmerCommand& command, const std::vector<engine::WarmResult>& results) {
  std::size_t failed = 0;
  for (std::size_t i = 0; i < results.size(); ++i) {
    const std::string name = command.request.images[i].reference.familiar();
    const engine::WarmResult& result = results[i];
    if (result.error.empty()) {
      spdlog::info("{} is {} in {}: {} layers downloaded, {} there already", name, result.digest.text(), command.request.directory,
                   result.downloaded, result.there);
    } else {
      ++failed;
      spdlog::error("{} is not stored: {}", name, result.error);
    }
  }
  return failed;
}

}  // namespace

std::vector<engine::WarmImage> images_of(const std::string& dockerfile_text, const WarmerCommand& command) {
  std::vector<engine::WarmImage> images;
  if (dockerfile_text.empty()) return images;
  engine::PlanOptions options;
  options.build_args = command.build_args;
  options.platform = command.platform;
  options.build_platform = oci::host_platform();
  const std::string name = fs::path(command.dockerfile).filename();
  engine::Plan plan = engine::make_plan(engine::dockerfile::parse_dockerfile(dockerfile_text, name), name, std::move(options));
  for (std::size_t i = 0; i < plan.stages.size(); ++i) plan.stages[i].text = &plan.file.stages[i];
  for (auto& stage : plan.stages) stage.needed = true;  // as Kaniko's warmer: whatever will be the target
  for (const auto& fetch : engine::find_fetches(plan, name).known) {
    if (fetch.kind != engine::Fetch::Kind::image) continue;
    images.push_back({oci::parse_reference(fetch.place), oci::parse_platform(fetch.platform)});
  }
  return images;
}

WarmerCommand parse_warmer(const std::vector<std::string>& arguments) {
  WarmerCommand command;
  const ParsedFlags flags = parse_flags(warmer_flags(), arguments);
  if (flags.boolean("help-table")) command.text = warmer_markdown();
  if (flags.help) command.text = help_text();
  if (!command.text.empty()) return command;
  if (!flags.arguments.empty()) {
    usage_error(fmt::format("unexpected argument '{}': the warmer takes flags only", flags.arguments.front()));
  }
  command.log = log_settings(flags);
  command.warnings = flags.warnings;
  for (auto& warning : check_environment(own_environment())) command.warnings.push_back(std::move(warning));
  resolve_request(command, flags);
  return command;
}

std::string warmer_markdown() {
  std::vector<Flag> shown;
  std::ranges::copy_if(warmer_flags(), std::back_inserter(shown), [](const Flag& flag) { return !flag.hidden; });
  return flag_markdown(shown);
}

int warmer_main(int argc, char** argv) {
  WarmerCommand command = parse_warmer({argv + 1, argv + argc});
  if (!command.text.empty()) {
    fmt::print("{}", command.text);
    return 0;
  }
  set_up_logging(command.log);
  for (const auto& warning : command.warnings) spdlog::warn("{}", warning);
  std::vector<engine::WarmResult> results;
  {
    io::Runtime runtime(io::RuntimeOptions{});
    runtime.run(warm_all(runtime, command, results));
  }
  const std::size_t failed = report(command, results);
  if (failed > 0 && failed == results.size()) throw io::Error(io::ErrorKind::network, "no image could be stored");
  return 0;
}

}  // namespace kiln::tools
