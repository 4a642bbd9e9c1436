#include "tools/command/dockerfile_input.hpp"

#include <filesystem>
#include <iostream>
#include <iterator>

#include <fmt/format.h>

#include "engine/dockerfile/directives.hpp"
#include "io/base/error.hpp"
#include "io/file/read_file.hpp"
#include "tools/command/values.hpp"

namespace kiln::tools {

namespace {

namespace fs = std::filesystem;

std::string read_all(const std::string& path) {
  if (path == "-") return {std::istreambuf_iterator<char>(std::cin), {}};
  return read_dockerfile(path);
}

void find_file(DockerfileInput& input, const std::string& argument, const std::string& named) {
  std::error_code ignored;
  if (fs::is_directory(argument, ignored)) {
    input.context = fs::absolute(argument).lexically_normal();
    input.path = named == "-" ? named : find_dockerfile(named.empty() ? input.context + "/Dockerfile" : named, input.context);
  } else if (!named.empty()) {
    usage_error(fmt::format("--file={}: '{}' is not a directory", named, argument));
  } else {
    input.path = argument;
  }
  input.name = input.path == "-" ? "Dockerfile" : fs::path(input.path).filename().string();
  input.text = read_all(input.path);
}

}  // namespace

std::string read_dockerfile(const std::string& path) {
  auto text = io::read_file(path);
  if (!text || fs::is_directory(path)) throw io::Error(io::ErrorKind::context, fmt::format("Dockerfile '{}' cannot be read", path));
  return std::move(*text);
}

DockerfileInput read_input(std::string_view command, const ParsedFlags& flags) {
  if (flags.arguments.size() != 1) {
    usage_error(fmt::format("{} wants one CONTEXT, a directory or a Dockerfile; there are {}", command, flags.arguments.size()));
  }
  DockerfileInput input;
  engine::BuildRequest request;
  for (const auto& text : flags.list("build-arg")) add_build_arg(request, text);
  for (const auto& text : flags.list("build-context")) add_named_context(request, text);
  for (const auto& [name, value] : request.build_args) {
    if (value) input.options.build_args[name] = *value;
  }
  input.options.named_contexts = std::move(request.named_contexts);
  input.options.target = flags.text("target");
  input.options.build_platform = oci::host_platform();
  const std::string platform = flags.text("platform");
  input.options.platform = platform.empty() ? oci::host_platform() : oci::parse_platform(platform);
  find_file(input, flags.arguments.front(), flags.text("file"));
  return input;
}

engine::dockerfile::Dockerfile parse_input(const DockerfileInput& input) {
  const auto syntax = input.options.build_args.find("BUILDKIT_SYNTAX");
  engine::dockerfile::check_frontend_of(input.text, syntax == input.options.build_args.end() ? "" : syntax->second);
  return engine::dockerfile::parse_dockerfile(input.text, input.name);
}

}  // namespace kiln::tools
