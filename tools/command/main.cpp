// One program under several names: `kiln`, `executor` and `warmer` as Kaniko's users call them, and the `ssh` of the image's git.
#include <malloc.h>
#include <netdb.h>
#include <sys/stat.h>

#include <exception>
#include <filesystem>
#include <string>
#include <string_view>

#include <spdlog/spdlog.h>

#include "bench/strategies/apply_change.hpp"
#include "engine/sandbox/sandbox.hpp"
#include "io/base/error.hpp"
#include "tools/command/executor.hpp"
#include "tools/command/kiln.hpp"
#include "tools/command/logging.hpp"
#include "tools/command/ssh_client.hpp"
#include "tools/command/warmer.hpp"
#include "tools/command/work_directory.hpp"

extern "C" int __nss_configure_lookup(const char* database, const char* service);

namespace {

// Names are looked up by glibc's own code only: a module named in the nsswitch.conf of a base image must not be loaded.
void pin_name_service() {
  __nss_configure_lookup("hosts", "files dns");
  __nss_configure_lookup("passwd", "files");
  __nss_configure_lookup("group", "files");
}

// Buffers come and go in sizes of a megabyte: they are to go back to the kernel, and threads are not to hoard.
void keep_memory_flat() {
  mallopt(M_ARENA_MAX, 2);
  mallopt(M_MMAP_THRESHOLD, 256 << 10);
  mallopt(M_TRIM_THRESHOLD, 1 << 20);
}

int run(int argc, char** argv) {
  const std::string name = std::filesystem::path(argv[0]).filename();
  if (name == "executor") return kiln::tools::executor_main(argc, argv);
  if (name == "warmer") return kiln::tools::warmer_main(argc, argv);
  if (name == "ssh") return kiln::tools::ssh_main(argc, argv);
  return kiln::tools::kiln_main(argc, argv);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc > 1 && std::string_view(argv[1]) == kiln::engine::sandbox_init_name) return kiln::engine::sandbox_init_main(argc, argv);
  if (argc > 1 && std::string_view(argv[1]) == kiln::bench::apply_change_name) return kiln::bench::apply_change_main();
  if (argc > 2 && std::string_view(argv[1]) == kiln::tools::empty_trash_name)
    return kiln::tools::empty_trash_main(argv[2], argv[3]);
  pin_name_service();
  keep_memory_flat();
  umask(022);
  kiln::tools::set_up_logging({.level = "info", .format = "text", .timestamps = false});  // until the flags have been read
  try {
    return run(argc, argv);
  } catch (const kiln::io::Error& error) {
    spdlog::critical("{}", error.message());
    return error.exit_code();
  } catch (const std::exception& error) {
    spdlog::critical("internal error: {}", error.what());
    return 1;
  }
}
