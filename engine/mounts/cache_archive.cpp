#include "engine/mounts/cache_archive.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <map>
#include <set>
#include <utility>

#include <fmt/format.h>

#include "engine/plan/path.hpp"
#include "io/base/error.hpp"
#include "io/file/directory_names.hpp"
#include "io/http/url.hpp"

namespace kiln::engine {

namespace {

io::UniqueFd open_directory(const std::string& path) {
  io::UniqueFd fd(open(path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!fd) io::throw_errno(errno, fmt::format("opening '{}'", path));
  return fd;
}

const char* name_at(const CachedFile& file) { return file.path.empty() ? "." : file.path.c_str(); }

std::string read_link(int root, const std::string& path, std::size_t size) {
  std::string target(size + 1, '\0');
  const ssize_t count = readlinkat(root, path.c_str(), target.data(), target.size());
  if (count < 0) io::throw_errno(errno, fmt::format("reading link '{}'", path));
  target.resize(static_cast<std::size_t>(count));
  return target;
}

class Lister {
 public:
  explicit Lister(const std::string& directory) : root_(open_directory(directory)) {}

  std::vector<CachedFile> list() {
    visit("");
    return std::move(files_);
  }

 private:
  void visit(const std::string& path) {
    CachedFile file;
    file.path = path;
    struct stat status{};
    if (fstatat(root_.get(), name_at(file), &status, AT_SYMLINK_NOFOLLOW) != 0) {
      if (errno == ENOENT) return;
      io::throw_errno(errno, fmt::format("looking at '{}'", path));
    }
    file.mode = status.st_mode & 07777U;
    file.uid = status.st_uid;
    file.gid = status.st_gid;
    file.mtime = status.st_mtim.tv_sec * 1'000'000'000 + status.st_mtim.tv_nsec;
    if (S_ISDIR(status.st_mode)) {
      file.type = 'd';
      files_.push_back(std::move(file));
      const io::UniqueFd directory(
          openat(root_.get(), path.empty() ? "." : path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
      if (!directory) io::throw_errno(errno, fmt::format("opening '{}'", path));
      std::vector<std::string> names;
      const int error =
          io::DirectoryNames().read(directory.get(), [&](const io::DirectoryName& name) { names.emplace_back(name.text); });
      if (error != 0) io::throw_errno(error, fmt::format("reading directory '{}'", path));
      std::ranges::sort(names);
      for (const auto& name : names) visit(path.empty() ? name : path + "/" + name);
    } else if (S_ISLNK(status.st_mode)) {
      file.type = 'l';
      file.target = read_link(root_.get(), path, static_cast<std::size_t>(status.st_size));
      files_.push_back(std::move(file));
    } else if (S_ISREG(status.st_mode)) {
      const std::pair inode{status.st_dev, status.st_ino};
      const auto first = status.st_nlink > 1 ? first_names_.find(inode) : first_names_.end();
      if (first != first_names_.end()) {
        file.type = 'h';
        file.target = first->second;
      } else {
        file.size = static_cast<std::uint64_t>(status.st_size);
        if (status.st_nlink > 1) first_names_.emplace(inode, path);
      }
      files_.push_back(std::move(file));
    }
  }

  io::UniqueFd root_;
  std::vector<CachedFile> files_;
  std::map<std::pair<dev_t, ino_t>, std::string> first_names_;
};

[[noreturn]] void damaged(std::string_view what) {
  throw io::Error(io::ErrorKind::integrity, fmt::format("the index of a cache mount is damaged: {}", what));
}

template <class Number>
Number number(std::string_view text, int base = 10) {
  Number value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, base);
  if (error != std::errc() || end != text.data() + text.size()) damaged("a number");
  return value;
}

std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  while (true) {
    const std::size_t end = std::min(text.find(separator), text.size());
    parts.push_back(text.substr(0, end));
    if (end == text.size()) return parts;
    text.remove_prefix(end + 1);
  }
}

CachedFile parse_line(std::string_view line) {
  const auto fields = split(line, ' ');
  if (fields.size() < 7 || fields.size() > 8 || fields[0].size() != 1) damaged("a line");
  CachedFile file;
  file.type = fields[0].front();
  file.mode = number<std::uint32_t>(fields[1], 8) & 07777U;
  file.uid = number<std::uint32_t>(fields[2]);
  file.gid = number<std::uint32_t>(fields[3]);
  file.mtime = number<std::int64_t>(fields[4]);
  file.size = number<std::uint64_t>(fields[5]);
  file.path = io::http::percent_decode(fields[6]);
  if (fields.size() == 8) file.target = io::http::percent_decode(fields[7]);
  const bool targeted = file.type == 'l' || file.type == 'h';
  if (std::string_view("dflh").find(file.type) == std::string_view::npos || targeted != (fields.size() == 8)) damaged("a type");
  if (file.type != 'f' && file.size != 0) damaged("a size");
  return file;
}

}  // namespace

std::vector<CachedFile> list_cache(const std::string& directory) { return Lister(directory).list(); }

std::uint64_t content_size(const std::vector<CachedFile>& files) {
  std::uint64_t size = 0;
  for (const auto& file : files) size += file.size;
  return size;
}

std::string write_index(const std::vector<CachedFile>& files) {
  std::string text;
  for (const auto& file : files) {
    text += fmt::format("{} {:o} {} {} {} {} {}", file.type, file.mode, file.uid, file.gid, file.mtime, file.size,
                        io::http::percent_encode(file.path));
    if (file.type == 'l' || file.type == 'h') text += " " + io::http::percent_encode(file.target);
    text += '\n';
  }
  return text;
}

// Every parent is a directory of the index, so no path goes through a link.
std::vector<CachedFile> parse_index(std::string_view text) {
  std::vector<CachedFile> files;
  std::set<std::string> directories, regular, all;
  std::uint64_t total = 0;
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    if (end == std::string_view::npos) damaged("its end");
    CachedFile file = parse_line(text.substr(0, end));
    text.remove_prefix(end + 1);
    if (file.path.find('\0') != std::string::npos || file.target.find('\0') != std::string::npos) damaged("a name");
    if (files.empty() != file.path.empty() || (files.empty() && file.type != 'd')) damaged("its top");
    if (!file.path.empty() && (file.path.front() == '/' || clean_path(file.path) != file.path)) damaged("a path");
    if (!files.empty() && !directories.contains(std::string(parent_of(file.path)))) damaged("a path without its directory");
    if (!all.insert(file.path).second) damaged("a path that comes twice");
    if (file.type == 'd') directories.insert(file.path);
    if (file.type == 'f') regular.insert(file.path);
    if (file.type == 'h' && !regular.contains(file.target)) damaged("a link to nothing");
    if (file.size > (UINT64_MAX >> 1U) - total) damaged("a size");
    total += file.size;
    files.push_back(std::move(file));
  }
  if (files.empty()) damaged("it is empty");
  return files;
}

CacheContents::CacheContents(const std::string& directory, const std::vector<CachedFile>& files)
    : root_(open_directory(directory)), files_(files) {}

std::size_t CacheContents::read(io::MutableBytes buffer) {
  std::size_t filled = 0;
  while (filled < buffer.size()) {
    if (left_ == 0) {
      file_ = {};
      while (next_ < files_.size() && files_[next_].size == 0) ++next_;
      if (next_ == files_.size()) break;
      const CachedFile& file = files_[next_++];
      file_ = io::UniqueFd(openat(root_.get(), file.path.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
      if (!file_ && errno != ENOENT) io::throw_errno(errno, fmt::format("opening '{}'", file.path));
      left_ = file.size;
    }
    const auto wanted = static_cast<std::size_t>(std::min<std::uint64_t>(left_, buffer.size() - filled));
    ssize_t count = file_ ? ::read(file_.get(), buffer.data() + filled, wanted) : 0;
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) io::throw_errno(errno, fmt::format("reading '{}'", files_[next_ - 1].path));
    if (count == 0) {
      std::memset(buffer.data() + filled, 0, wanted);
      count = static_cast<ssize_t>(wanted);
    }
    filled += static_cast<std::size_t>(count);
    left_ -= static_cast<std::uint64_t>(count);
  }
  return filled;
}

CacheRestore::CacheRestore(const std::string& directory, const std::vector<CachedFile>& files)
    : root_(open_directory(directory)), files_(files) {
  for (const auto& file : files) {
    if (file.type != 'd' || file.path.empty()) continue;
    if (mkdirat(root_.get(), file.path.c_str(), 0700) != 0) io::throw_errno(errno, fmt::format("making '{}'", file.path));
  }
  open_next();
}

// Empty files are made in passing.
void CacheRestore::open_next() {
  file_ = {};
  while (next_ < files_.size()) {
    const CachedFile& file = files_[next_++];
    if (file.type != 'f') continue;
    file_ = io::UniqueFd(openat(root_.get(), file.path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
    if (!file_) io::throw_errno(errno, fmt::format("making '{}'", file.path));
    left_ = file.size;
    if (left_ > 0) return;
  }
  file_ = {};
}

void CacheRestore::write(io::Bytes bytes) {
  while (!bytes.empty()) {
    if (left_ == 0) throw io::Error(io::ErrorKind::integrity, "a cache mount has more bytes than files");
    const auto wanted = static_cast<std::size_t>(std::min<std::uint64_t>(left_, bytes.size()));
    const ssize_t count = ::write(file_.get(), bytes.data(), wanted);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) io::throw_errno(errno, fmt::format("writing '{}'", files_[next_ - 1].path));
    bytes = bytes.subspan(static_cast<std::size_t>(count));
    left_ -= static_cast<std::uint64_t>(count);
    if (left_ == 0) open_next();
  }
}

void CacheRestore::set_metadata(int at, const CachedFile& file) const {
  const char* name = name_at(file);
  // Another owner than the own may be refused: then the own has to do.
  if (fchownat(at, name, file.uid, file.gid, AT_SYMLINK_NOFOLLOW) != 0 && errno != EPERM && errno != EINVAL) {
    io::throw_errno(errno, fmt::format("giving '{}' its owner", file.path));
  }
  if (file.type != 'l' && fchmodat(at, name, file.mode, 0) != 0)
    io::throw_errno(errno, fmt::format("giving '{}' its mode", file.path));
  std::int64_t rest = file.mtime % 1'000'000'000;
  if (rest < 0) rest += 1'000'000'000;
  const timespec time{(file.mtime - rest) / 1'000'000'000, rest};
  const timespec times[2] = {time, time};
  if (utimensat(at, name, times, AT_SYMLINK_NOFOLLOW) != 0) io::throw_errno(errno, fmt::format("giving '{}' its time", file.path));
}

void CacheRestore::finish() {
  if (left_ > 0) throw io::Error(io::ErrorKind::integrity, "contents of a cache mount are missing");
  for (const auto& file : files_) {
    if (file.type == 'l' && symlinkat(file.target.c_str(), root_.get(), file.path.c_str()) != 0) {
      io::throw_errno(errno, fmt::format("making link '{}'", file.path));
    }
    if (file.type == 'h' && linkat(root_.get(), file.target.c_str(), root_.get(), file.path.c_str(), 0) != 0) {
      io::throw_errno(errno, fmt::format("making link '{}'", file.path));
    }
    if (file.type == 'f' || file.type == 'l') set_metadata(root_.get(), file);
  }
  // What is inside a directory comes after it, and changes its time.
  for (auto file = files_.rbegin(); file != files_.rend(); ++file) {
    if (file->type == 'd') set_metadata(root_.get(), *file);
  }
}

}  // namespace kiln::engine
