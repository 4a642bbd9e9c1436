#include "tools/command/kiln.hpp"

#include <unistd.h>

#include <filesystem>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "io/base/error.hpp"
#include "tools/command/logging.hpp"
#include "tools/command/run_build.hpp"

namespace kiln::tools {

namespace {

namespace fs = std::filesystem;

struct BuildFlags {
  std::string context;
  std::string file = "Dockerfile";
  std::vector<std::string> tags, build_args, labels, outputs, maps, insecure;
  std::string platform;
  std::string progress = "auto";
  std::string memory_budget = "96m";
  std::string sandbox;
  std::string verbosity = "info";
  bool push = false;
};

// type=docker,dest=PATH and its like.
void add_output(engine::BuildRequest& request, const std::string& text) {
  std::string type, destination;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t comma = std::min(text.find(',', at), text.size());
    const auto [key, value] = parse_pair("--output", text.substr(at, comma - at));
    if (key == "type") {
      type = value;
    } else if (key == "dest") {
      destination = value;
    } else {
      throw io::Error(io::ErrorKind::usage, fmt::format("--output={}: unknown key '{}'", text, key));
    }
    at = comma + 1;
  }
  if (type == "registry") {
    request.push = true;
    return;
  }
  if (destination.empty()) throw io::Error(io::ErrorKind::usage, fmt::format("--output={}: dest=PATH is missing", text));
  if (type == "docker") {
    request.tar_path = destination;
  } else if (type == "oci") {
    request.oci_archive_path = destination;
  } else if (type == "oci-layout") {
    request.oci_layout_path = destination;
  } else {
    throw io::Error(io::ErrorKind::usage, fmt::format("--output={}: the type is docker, oci, oci-layout or registry", text));
  }
}

engine::BuildRequest make_request(const BuildFlags& flags) {
  engine::BuildRequest request;
  request.context_directory = fs::absolute(flags.context).lexically_normal();
  // As docker does: beside the context by default, from here when named.
  const std::string named = flags.file == "Dockerfile" ? request.context_directory + "/Dockerfile" : flags.file;
  request.dockerfile_path = find_dockerfile(named, request.context_directory);
  request.destinations = flags.tags;
  request.push = flags.push;
  for (const auto& text : flags.outputs) add_output(request, text);
  for (const auto& text : flags.build_args) add_build_arg(request, text);
  for (const auto& text : flags.labels)
    request.labels.insert_or_assign(parse_pair("--label", text).first, parse_pair("--label", text).second);
  for (const auto& text : flags.maps) {
    const auto [from, to] = parse_pair("--registry-map", text);
    request.registries.mirrors[from].push_back(to);
  }
  request.registries.insecure.insert(flags.insecure.begin(), flags.insecure.end());
  if (!flags.platform.empty()) request.platform = oci::parse_platform(flags.platform);
  if (flags.sandbox == "userns") request.sandbox = engine::SandboxKind::userns;
  if (flags.sandbox == "in-place") request.sandbox = engine::SandboxKind::in_place;
  if (request.push && request.destinations.empty()) throw io::Error(io::ErrorKind::usage, "--push needs a name: -t NAME");
  return request;
}

int build_command(const BuildFlags& flags, engine::BuildRequest request) {
  const bool terminal = isatty(STDERR_FILENO) == 1;
  set_up_logging(flags.verbosity, terminal ? "color" : "text", false);
  RunSettings settings;
  settings.memory_budget = parse_size("--memory-budget", flags.memory_budget);
  settings.live = flags.progress == "tty" || (flags.progress == "auto" && terminal);
  const bool kept =
      request.push || !request.tar_path.empty() || !request.oci_archive_path.empty() || !request.oci_layout_path.empty();
  if (!kept) spdlog::warn("the image is kept nowhere: use --push, or --output type=docker,dest=FILE");
  const engine::BuildResult result = run_build(std::move(request), settings);
  fmt::print("{}\n", result.manifest_digest.text());
  return 0;
}

}  // namespace

int kiln_main(int argc, char** argv) {
  CLI::App app("kiln builds container images inside an ordinary pod", "kiln");
  app.require_subcommand(1);
  BuildFlags flags;
  CLI::App* build = app.add_subcommand("build", "build an image from a Dockerfile");
  build->add_option("CONTEXT", flags.context, "directory with the files to build from")->required();
  build->add_option("-t,--tag", flags.tags, "name of the image; repeatable")->expected(1)->take_all();
  build->add_option("-f,--file", flags.file, "Dockerfile");
  build->add_option("--build-arg", flags.build_args, "NAME=value or NAME; repeatable")->expected(1)->take_all();
  build->add_option("--label", flags.labels, "key=value; repeatable")->expected(1)->take_all();
  std::string target;
  build->add_option("--target", target, "stage to build");
  build->add_option("--platform", flags.platform, "os/arch[/variant]");
  build->add_flag("--push", flags.push, "push to the registry in the name");
  build->add_option("-o,--output", flags.outputs, "type=docker|oci|oci-layout,dest=PATH or type=registry; repeatable")
      ->expected(1)
      ->take_all();
  build->add_option("--registry-map", flags.maps, "registry=mirror[/prefix]; repeatable")->expected(1)->take_all();
  build->add_option("--insecure-registry", flags.insecure, "registry that may be reached by plain http; repeatable")
      ->expected(1)
      ->take_all();
  build->add_option("--progress", flags.progress, "auto, plain or tty")->check(CLI::IsMember({"auto", "plain", "tty"}));
  build->add_option("--sandbox", flags.sandbox, "userns or in-place")->check(CLI::IsMember({"userns", "in-place"}));
  build->add_option("--memory-budget", flags.memory_budget, "bytes of buffers (k, m, g)");
  build->add_option("--verbosity", flags.verbosity, "trace, debug, info, warn, error");
  CLI::App* version = app.add_subcommand("version", "print the version");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 1;
  }
  if (version->parsed()) {
    fmt::print("kiln v0.1.0\n");
    return 0;
  }
  engine::BuildRequest request = make_request(flags);
  request.target = target;
  return build_command(flags, std::move(request));
}

}  // namespace kiln::tools
