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
  std::string work_directory;  // the Rootfs's
  std::vector<std::string>
      directories;           // of the stack, lowest first; best relative to work_directory, for they must fit into a page
  std::string overlay_work;  // the work directory of an overlay; empty: plain, of one directory
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
