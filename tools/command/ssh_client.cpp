#include "tools/command/ssh_client.hpp"

#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "engine/context/git_program.hpp"

namespace kiln::tools {

int ssh_main(int argc, char** argv) {
  std::error_code ignored;
  const std::string program = std::filesystem::read_symlink("/proc/self/exe", ignored).parent_path() / "git/openssh";
  std::vector<std::string> options = {program, "-oBatchMode=yes"};
  if (std::getenv(engine::ssh_trust_variable)) {
    options.insert(options.end(), {"-oStrictHostKeyChecking=no", "-oUserKnownHostsFile=/dev/null", "-oLogLevel=ERROR"});
  }
  std::vector<char*> arguments;
  for (auto& option : options) arguments.push_back(option.data());
  arguments.insert(arguments.end(), argv + 1, argv + argc);
  arguments.push_back(nullptr);
  execv(program.c_str(), arguments.data());
  fmt::print(stderr, "starting {}: {}\n", program, std::strerror(errno));
  return 127;
}

}  // namespace kiln::tools
