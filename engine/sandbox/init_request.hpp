// What the re-executed program is told: everything that a RUN's set-up needs, as CBOR through a descriptor.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "engine/sandbox/sandbox_mount.hpp"

namespace kiln::engine {

struct InitRequest {
  enum class Mode { run_userns, run_in_place, probe } mode = Mode::probe;
  // userns
  std::string work_directory;  // the Rootfs's; l0, l1, ... are below it
  unsigned directories = 1;    // of the stack; 1: plain
  bool overlay = false;
  bool all_ids = false;
  bool no_network = false;
  std::string hostname;
  std::string resolv_conf;  // files to bind; empty: none
  std::string hosts;
  std::vector<SandboxMount> mounts;  // in the order to mount them
  // the command
  std::vector<std::string> arguments;
  std::vector<std::string> environment;
  std::string working_directory = "/";
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
  std::vector<std::uint32_t> groups;
};

std::string serialize(const InitRequest& request);
InitRequest parse_init_request(std::string_view packed);

// Descriptors of the re-executed program.
inline constexpr int init_request_fd = 3;
inline constexpr int init_status_fd = 4;  // one line of text when something failed before exec; closed by exec

}  // namespace kiln::engine
