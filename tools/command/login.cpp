#include "tools/command/login.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "io/base/error.hpp"
#include "io/base/fd.hpp"
#include "io/loop/runtime.hpp"
#include "io/process/child.hpp"
#include "oci/registry/login/base64.hpp"
#include "tools/command/flags.hpp"
#include "tools/command/values.hpp"

namespace kiln::tools {

namespace {

using Json = nlohmann::ordered_json;
using enum ValueKind;

constexpr auto login_flags = std::to_array<Flag>({
    {"username", 'u', text, "", "user name"},
    {"password", 'p', text, "", "password; --password-stdin keeps it out of process lists"},
    {"password-stdin", 0, boolean, "false", "read the password from standard input"},
});

std::filesystem::path config_directory() {
  if (const char* directory = std::getenv("DOCKER_CONFIG"); directory && *directory) return directory;
  const char* home = std::getenv("HOME");
  return std::filesystem::path(home ? home : "/root") / ".docker";
}

Json read_config(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return Json::object();
  try {
    Json config = Json::parse(file);
    if (config.is_object()) return config;
  } catch (const Json::exception&) {  // told below
  }
  usage_error(fmt::format("{} is not a JSON object", path));
}

// Whole or not at all, for the owner only.
void write_config(const std::string& directory, const std::string& path, const Json& config) {
  if (mkdir(directory.c_str(), 0700) != 0 && errno != EEXIST) io::throw_errno(errno, fmt::format("making '{}'", directory));
  const std::string temporary = path + ".kiln-new";
  unlink(temporary.c_str());
  const io::UniqueFd file(open(temporary.c_str(), O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600));
  const std::string text = config.dump(2) + "\n";
  if (!file || write(file.get(), text.data(), text.size()) != static_cast<ssize_t>(text.size()) ||
      rename(temporary.c_str(), path.c_str()) != 0) {
    io::throw_errno(errno, fmt::format("writing '{}'", path));
  }
}

// The helper program that keeps this registry's logins; empty: the file does.
std::string helper_of(const Json& config, const std::string& registry) {
  if (config.contains("credHelpers") && config["credHelpers"].is_object() && config["credHelpers"].contains(registry)) {
    return config["credHelpers"][registry].get<std::string>();
  }
  return config.value("credsStore", "");
}

io::Task<void> store_with_helper(io::Runtime& runtime, std::string helper, std::string input) {
  io::Command command;
  command.program = "docker-credential-" + helper;
  command.arguments = {"store"};
  command.environment = own_environment();
  command.input = std::move(input);
  const std::string program = command.program;
  const io::Output output = co_await io::run_and_collect(runtime, std::move(command), 1U << 20U);
  if (!output.status.ok()) {
    throw io::Error(io::ErrorKind::process,
                    fmt::format("{} store: exit code {}: {}{}", program, output.status.code, output.out, output.err));
  }
}

std::string password_of(const ParsedFlags& flags) {
  if (!flags.boolean("password-stdin")) return flags.text("password");
  std::string password(std::istreambuf_iterator<char>(std::cin), {});
  while (password.ends_with('\n') || password.ends_with('\r')) password.pop_back();
  return password;
}

}  // namespace

int login_main(const std::vector<std::string>& arguments) {
  const ParsedFlags flags = parse_flags(login_flags, arguments);
  if (flags.help) {
    fmt::print("Keeps a login in config.json.\n\nUsage: executor login [flags] REGISTRY\n\nFlags:\n{}", flag_help(login_flags));
    return 0;
  }
  if (flags.arguments.size() != 1) usage_error("executor login wants one REGISTRY");
  std::string registry = flags.arguments.front();
  if (registry == "docker.io" || registry == "index.docker.io") registry = "https://index.docker.io/v1/";
  const std::string user = flags.text("username");
  const std::string password = password_of(flags);
  if (user.empty() || password.empty()) usage_error("executor login wants --username and --password or --password-stdin");
  const std::filesystem::path directory = config_directory();
  const std::string path = directory / "config.json";
  Json config = read_config(path);
  const std::string helper = helper_of(config, registry);
  if (!helper.empty()) {
    io::Runtime runtime(io::RuntimeOptions{});
    runtime.run(
        store_with_helper(runtime, helper, Json({{"ServerURL", registry}, {"Username", user}, {"Secret", password}}).dump()));
    config["auths"][registry] = Json::object();
  } else {
    config["auths"][registry] = {{"auth", oci::base64(user + ":" + password)}};
  }
  write_config(directory, path, config);
  fmt::print("Login Succeeded\n");
  return 0;
}

}  // namespace kiln::tools
