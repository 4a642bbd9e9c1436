#include "engine/sandbox/reexec.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>

#include <fmt/format.h>

#include "engine/sandbox/sandbox.hpp"
#include "io/base/error.hpp"

namespace kiln::engine {

namespace {

io::UniqueFd file_with(const std::string& bytes) {
  io::UniqueFd file(memfd_create("kiln-request", MFD_CLOEXEC));
  if (!file || write(file.get(), bytes.data(), bytes.size()) != static_cast<ssize_t>(bytes.size())) {
    io::throw_errno(errno, "writing the sandbox's request");
  }
  lseek(file.get(), 0, SEEK_SET);
  return file;
}

// "code text", or nothing when the command was executed.
std::string read_status(int pipe) {
  std::string text(4096, '\0');
  const ssize_t count = read(pipe, text.data(), text.size());
  text.resize(static_cast<std::size_t>(std::max<ssize_t>(count, 0)));
  return text;
}

}  // namespace

io::Task<io::ExitStatus> run_init(io::Runtime& runtime, InitRequest request, std::function<void(int, std::string_view)> on_line) {
  const io::UniqueFd packed = file_with(serialize(request));
  int ends[2];
  if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0) io::throw_errno(errno, "making the sandbox's status pipe");
  const io::UniqueFd status_read(ends[0]);
  io::UniqueFd status_write(ends[1]);
  io::Command command;
  command.program = "/proc/self/exe";
  command.arguments = {std::string(sandbox_init_name)};
  command.descriptors = {{packed.get(), init_request_fd}, {status_write.get(), init_status_fd}};
  command.on_line = std::move(on_line);
  const io::ExitStatus status = co_await io::run_child(runtime, std::move(command));
  const std::string said = read_status(status_read.get());
  if (said.empty()) co_return status;
  const auto blank = said.find(' ');
  throw io::Error(io::ErrorKind::process, said.substr(blank + 1)).set_exit_code(std::atoi(said.c_str()));
}

}  // namespace kiln::engine
