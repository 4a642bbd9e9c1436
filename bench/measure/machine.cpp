#include "bench/measure/machine.hpp"

#include <linux/magic.h>
#include <sys/utsname.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <cstdint>

#include <fmt/format.h>

#include "io/loop/cpu_pool.hpp"

namespace kiln::bench {

namespace {

std::string file_system_of(const std::string& path) {
  struct statfs state{};
  if (statfs(path.c_str(), &state) != 0) return "unknown";
  switch (static_cast<std::uint32_t>(state.f_type)) {
    case EXT4_SUPER_MAGIC: return "ext4";
    case XFS_SUPER_MAGIC: return "xfs";
    case BTRFS_SUPER_MAGIC: return "btrfs";
    case TMPFS_MAGIC: return "tmpfs";
    case OVERLAYFS_SUPER_MAGIC: return "overlay";
    default: return fmt::format("{:#x}", static_cast<std::uint32_t>(state.f_type));
  }
}

}  // namespace

Machine describe_machine(const std::string& directory) {
  utsname name{};
  uname(&name);
  return {name.release, file_system_of(directory), io::usable_cores(), geteuid() == 0};
}

std::string to_text(const Machine& machine) {
  return fmt::format("Linux {}, {} cores, {}, {}", machine.kernel, machine.cores, machine.file_system,
                     machine.root ? "root" : "not root");
}

}  // namespace kiln::bench
