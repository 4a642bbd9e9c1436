#include "engine/context/context.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <iterator>
#include <map>
#include <optional>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "io/base/error.hpp"

namespace kiln::engine {

namespace {

struct Found {
  std::string path;
  Node node;
  std::pair<dev_t, ino_t> identity;
  bool linked = false;  // more than one name
};

std::string join(const std::string& directory, std::string_view name) {
  return directory.empty() ? std::string(name) : directory + "/" + std::string(name);
}

std::optional<FileType> type_of(mode_t mode) {
  if (S_ISREG(mode)) return FileType::regular;
  if (S_ISDIR(mode)) return FileType::directory;
  if (S_ISLNK(mode)) return FileType::symlink;
  if (S_ISCHR(mode)) return FileType::char_device;
  if (S_ISBLK(mode)) return FileType::block_device;
  if (S_ISFIFO(mode)) return FileType::fifo;
  return std::nullopt;  // sockets have no place in a layer
}

// Walks one directory of the context. Single-threaded: names come with their type, one fstatat each.
class Scanner {
 public:
  Scanner(int root, const std::string& root_path, const IgnoreMatcher& ignore)
      : root_(root), root_path_(root_path), ignore_(ignore) {}

  std::vector<Found> scan(const std::string& path) {
    visit(path);
    return std::move(found_);
  }

 private:
  void visit(const std::string& path) {
    struct stat status{};
    const char* name = path.empty() ? "." : path.c_str();
    if (fstatat(root_, name, &status, AT_SYMLINK_NOFOLLOW) != 0) {
      if (errno == ENOENT || errno == ENOTDIR) return;
      io::throw_errno(errno, fmt::format("reading '{}' in the build context", path));
    }
    const bool left_out = !path.empty() && ignore_.ignored(path);
    if (S_ISDIR(status.st_mode)) {
      if (left_out && !ignore_.may_reinclude_below(path)) return;
      const std::size_t before = found_.size();
      if (!left_out && !path.empty()) add(path, status);
      visit_children(path);
      // A directory that was left out comes back with what was re-included below it.
      if (left_out && found_.size() > before) add(path, status);
    } else if (!left_out) {
      add(path, status);
    }
  }

  void visit_children(const std::string& path) {
    const int fd = openat(root_, path.empty() ? "." : path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0) io::throw_errno(errno, fmt::format("reading directory '{}' of the build context", path));
    const std::unique_ptr<DIR, int (*)(DIR*)> directory(fdopendir(fd), closedir);
    std::vector<std::string> names;
    while (const dirent* entry = readdir(directory.get())) {
      const std::string_view name = entry->d_name;
      if (name != "." && name != "..") names.emplace_back(name);
    }
    for (const auto& name : names) visit(join(path, name));
  }

  void add(const std::string& path, const struct stat& status) {
    const auto type = type_of(status.st_mode);
    if (!type) return;
    Found found;
    found.path = path;
    found.node.type = *type;
    found.node.mode = status.st_mode & 07777;
    found.node.mtime = {status.st_mtim.tv_sec, static_cast<std::uint32_t>(status.st_mtim.tv_nsec)};
    if (*type == FileType::regular) found.node.size = static_cast<std::uint64_t>(status.st_size);
    if (*type == FileType::symlink) found.node.link_target = read_link(path);
    if (*type == FileType::char_device || *type == FileType::block_device) {
      found.node.device_major = major(status.st_rdev);
      found.node.device_minor = minor(status.st_rdev);
    }
    if (*type != FileType::symlink) found.node.xattrs = read_xattrs(path);
    found.linked = *type != FileType::directory && status.st_nlink > 1;
    found.identity = {status.st_dev, status.st_ino};
    found_.push_back(std::move(found));
  }

  std::string read_link(const std::string& path) {
    std::string target(4096, '\0');
    const ssize_t length = readlinkat(root_, path.c_str(), target.data(), target.size());
    if (length < 0) io::throw_errno(errno, fmt::format("reading link '{}' of the build context", path));
    target.resize(static_cast<std::size_t>(length));
    return target;
  }

  std::shared_ptr<const Xattrs> read_xattrs(const std::string& path) {
    const std::string full = root_path_ + "/" + path;
    char names[4096];
    const ssize_t length = llistxattr(full.c_str(), names, sizeof names);
    if (length <= 0) return nullptr;
    auto xattrs = std::make_shared<Xattrs>();
    for (const char* name = names; name < names + length; name += std::strlen(name) + 1) {
      if (std::string_view(name) == "security.selinux") continue;
      char value[4096];
      const ssize_t size = lgetxattr(full.c_str(), name, value, sizeof value);
      if (size >= 0) xattrs->emplace(name, std::string(value, static_cast<std::size_t>(size)));
    }
    if (xattrs->empty()) return nullptr;
    return xattrs;
  }

  int root_;
  std::string root_path_;
  const IgnoreMatcher& ignore_;
  std::vector<Found> found_;
};

std::optional<std::string> read_text(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return std::nullopt;
  return std::string(std::istreambuf_iterator<char>(file), {});
}

}  // namespace

Context::Context(std::string directory, IgnoreMatcher ignore) : directory_(std::move(directory)), ignore_(std::move(ignore)) {
  io::UniqueFd fd(open(directory_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd) {
    throw io::Error(io::ErrorKind::context, fmt::format("opening build context '{}': {}", directory_, std::strerror(errno)));
  }
  auto content = std::make_shared<ContentDirectory>();
  content->directory = std::move(fd);
  content->description = "build context";
  content_ = std::move(content);
}

io::Task<Tree> Context::scan(io::Runtime& runtime, std::string path) {
  // Scanned already, itself or with a directory above it?
  for (std::string above = path;; above.resize(above.rfind('/') == std::string::npos ? 0 : above.rfind('/'))) {
    if (scanned_.contains(above)) co_return tree_;
    if (above.empty()) break;
  }
  auto work = [this, path] { return Scanner(content_->directory.get(), directory_, ignore_).scan(path); };
  std::vector<Found> found = co_await io::offload(runtime.waiting(), work);
  std::map<std::pair<dev_t, ino_t>, std::uint64_t> links;
  for (auto& file : found) {
    file.node.content.directory = file.node.type == FileType::regular ? content_ : nullptr;
    file.node.content.path = file.path;
    if (file.linked) {
      const auto [link, added] = links.try_emplace(file.identity, 0);
      if (added) link->second = tree_.new_link_id();
      file.node.link_id = link->second;
    }
    tree_.put(file.path, std::move(file.node));
  }
  scanned_.insert(std::move(path));
  co_return tree_;
}

IgnoreMatcher load_ignore_file(const std::string& dockerfile_path, const std::string& context_directory) {
  std::string origin = dockerfile_path + ".dockerignore";
  auto text = read_text(origin);
  if (!text) {
    origin = context_directory + "/.dockerignore";
    text = read_text(origin);
  }
  if (!text) return {};
  return io::with_context(fmt::format("reading {}", origin), [&] { return IgnoreMatcher::parse(*text); });
}

}  // namespace kiln::engine
