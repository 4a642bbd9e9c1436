#include <cstdlib>
#include <string_view>

#include <spdlog/spdlog.h>

#include "io/base/error.hpp"
#include "io/file/read_plan.hpp"

namespace kiln::io {

namespace {

ReaderChoice choice_from_environment() {
  const char* value = std::getenv("KILN_FILE_READER");
  const std::string_view name = value ? value : "";
  if (name == "threads") return ReaderChoice::threads;
  if (name == "ring" || name == "io_uring") return ReaderChoice::ring;
  return ReaderChoice::automatic;
}

}  // namespace

// Warm files, which a build has just written or received, come faster through threads (bench/micro); so that is the default.
std::unique_ptr<FileReader> make_file_reader(Runtime& runtime, ReaderChoice choice) {
  if (choice == ReaderChoice::automatic) choice = choice_from_environment();
  if (choice != ReaderChoice::ring) {
    spdlog::debug("files are read on threads");
    return make_thread_reader(runtime);
  }
  std::string why;
  auto ring = make_ring_reader(runtime, &why);
  if (ring) {
    spdlog::debug("files are read through io_uring");
    return ring;
  }
  spdlog::debug("files are read on threads: io_uring is refused here ({})", why);
  return make_thread_reader(runtime);
}

}  // namespace kiln::io
