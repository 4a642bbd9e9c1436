#include "engine/rootfs/staged_files.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include <fmt/format.h>

#include "engine/rootfs/spread_directory.hpp"
#include "io/base/error.hpp"

namespace kiln::engine {

namespace {

constexpr unsigned files_in_directory = 512;

}  // namespace

DirectoryHandle StagedFiles::next_directory() {
  const std::string name = fmt::format("{}{}", prefix_, ++directories_);
  if (make_spread_directory(parent_, name, 0700) != 0) io::throw_errno(errno, fmt::format("making staging directory '{}'", name));
  io::UniqueFd directory(openat(parent_, name.c_str(), O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!directory) io::throw_errno(errno, fmt::format("opening staging directory '{}'", name));
  return std::make_shared<const io::UniqueFd>(std::move(directory));
}

StagedFile StagedFiles::add(const std::string& path, Node node, const WriteContent& content) {
  if (!directory_ || files_ == files_in_directory) {
    directory_ = next_directory();
    files_ = 0;
  }
  StagedFile file{directory_, std::to_string(++files_)};
  entries_.put_file(file.directory->get(), file.name, path, node, content);
  return file;
}

bool same_mount(int a, int b) {
  struct statx first{};
  struct statx second{};
  const auto ask = [](int directory, struct statx& status) {
    return statx(directory, "", AT_EMPTY_PATH, STATX_MNT_ID, &status) == 0 && (status.stx_mask & STATX_MNT_ID) != 0;
  };
  return ask(a, first) && ask(b, second) && first.stx_mnt_id == second.stx_mnt_id;
}

}  // namespace kiln::engine
