#include "oci/output/new_file.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <vector>

#include <fmt/format.h>

#include "io/base/error.hpp"

namespace kiln::oci {

namespace {

bool is_special(const std::string& path) {
  struct stat status{};
  return lstat(path.c_str(), &status) == 0 && !S_ISREG(status.st_mode) && !S_ISDIR(status.st_mode);
}

}  // namespace

NewFile::NewFile(std::string path, Special special) : path_(std::move(path)) {
  if (special == Special::written_to && is_special(path_)) {
    fd_ = io::UniqueFd(open(path_.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644));
    if (!fd_) io::throw_errno(errno, fmt::format("opening '{}'", path_));
    kept_ = true;
    return;
  }
  temporary_ = path_ + ".kiln-XXXXXX";
  fd_ = io::UniqueFd(mkostemp(temporary_.data(), O_CLOEXEC));
  if (!fd_ || fchmod(fd_.get(), 0644) != 0) io::throw_errno(errno, fmt::format("creating '{}'", path_));
}

NewFile::~NewFile() {
  if (!kept_) unlink(temporary_.c_str());
}

void NewFile::write(io::Bytes bytes) {
  while (!bytes.empty()) {
    const ssize_t count = ::write(fd_.get(), bytes.data(), bytes.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) io::throw_errno(errno, fmt::format("writing '{}'", path_));
    bytes = bytes.subspan(static_cast<std::size_t>(count));
  }
}

void NewFile::write(const SpoolBlob& blob) {
  std::vector<std::byte> buffer(1U << 20U);
  for (std::uint64_t offset = 0;;) {
    const std::size_t count = blob.read_at(offset, buffer);
    if (count == 0) return;
    write(io::Bytes(buffer).first(count));
    offset += count;
  }
}

void NewFile::keep() {
  if (kept_) return;
  if (rename(temporary_.c_str(), path_.c_str()) != 0) io::throw_errno(errno, fmt::format("naming '{}'", path_));
  kept_ = true;
}

void write_text_file(const std::string& path, std::string_view text) {
  NewFile file(path);
  file.write(io::as_bytes(text));
  file.keep();
}

}  // namespace kiln::oci
