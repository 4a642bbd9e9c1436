#include "engine/context/scanner.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <condition_variable>
#include <exception>
#include <iterator>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>

#include <fmt/format.h>

#include "io/base/error.hpp"
#include "io/base/fd.hpp"
#include "io/file/directory_names.hpp"
#include "io/file/open_beneath.hpp"
#include "io/file/xattrs.hpp"

namespace kiln::engine {

namespace {

// Below this many directories another thread costs more than it brings.
constexpr std::size_t directories_for_a_thread = 16;

std::string join(const std::string& directory, std::string_view name) {
  if (directory.empty()) return std::string(name);
  return directory + "/" + std::string(name);
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

struct PendingDirectory {
  std::string path;
  IgnoreMatcher::Directory known;
};

class Scan {
 public:
  explicit Scan(const ContextRoot& root) : root_(root) {
    struct stat status{};
    if (root.file_system && fstat(root.directory, &status) == 0) device_ = status.st_dev;
    trust_plain_ = root.known && device_ && attributes_change_ctime(root.directory);
  }

  ScannedTree run(const std::string& path, unsigned threads) {
    if (!start(path)) return std::move(found_);
    std::vector<std::jthread> helpers;
    std::vector<ScannedTree> results(threads + 1);
    // Helpers start when there is enough to do.
    work(results[0], [&] {
      while (helpers.size() < threads && pending_.size() > directories_for_a_thread * (helpers.size() + 1)) {
        helpers.emplace_back([this, &result = results[helpers.size() + 1]] { work(result, [] {}); });
      }
    });
    for (auto& helper : helpers) helper.join();
    if (error_) std::rethrow_exception(error_);
    for (auto& result : results) {
      std::ranges::move(result.directories, std::back_inserter(found_.directories));
      std::ranges::move(result.left_out, std::back_inserter(found_.left_out));
    }
    return std::move(found_);
  }

 private:
  // The directories above `path`, then itself. True if it is a directory to go on with.
  bool start(const std::string& path) {
    if (path.empty()) {
      pending_.push_back({});
      return true;
    }
    IgnoreMatcher::Directory known;
    for (std::size_t slash = path.find('/');; slash = path.find('/', slash + 1)) {
      const bool last = slash == std::string::npos;
      const std::string component = path.substr(0, slash);
      struct stat status{};
      if (fstatat(root_.directory, component.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0) {
        if (errno == ENOENT || errno == ENOTDIR) return false;
        io::throw_errno(errno, fmt::format("reading '{}' in the build context", component));
      }
      IgnoreMatcher::Directory below;
      const bool left_out = root_.ignore->decide(known, component, &below);
      const std::size_t before = component.rfind('/');
      ScannedDirectory above;
      above.path = before == std::string::npos ? "" : component.substr(0, before);
      if (S_ISDIR(status.st_mode) || !left_out) {
        add(found_, above, component, {root_.directory, component.c_str(), status}, left_out);
      }
      if (!above.children.empty()) found_.directories.push_back(std::move(above));
      if (!S_ISDIR(status.st_mode)) return false;
      known = std::move(below);
      if (!last) continue;
      if (left_out && !root_.ignore->may_reinclude_below(component)) return false;
      pending_.push_back({component, std::move(known)});
      return true;
    }
  }

  template <class Grow>
  void work(ScannedTree& result, Grow grow) {
    io::DirectoryNames names;
    std::unique_lock lock(mutex_);
    while (true) {
      changed_.wait(lock, [this] { return !pending_.empty() || busy_ == 0 || error_; });
      if (pending_.empty() || error_) return;
      const PendingDirectory directory = std::move(pending_.back());
      pending_.pop_back();
      ++busy_;
      lock.unlock();
      std::vector<PendingDirectory> below;
      std::exception_ptr failure;
      try {
        read(directory, names, result, below);
      } catch (...) {
        failure = std::current_exception();
      }
      lock.lock();
      --busy_;
      if (failure && !error_) error_ = failure;
      std::move(below.begin(), below.end(), std::back_inserter(pending_));
      grow();
      changed_.notify_all();
    }
  }

  void read(const PendingDirectory& directory, io::DirectoryNames& names, ScannedTree& result,
            std::vector<PendingDirectory>& below) {
    ScannedDirectory found;
    found.path = directory.path;
    io::UniqueFd fd = io::open_beneath(root_.directory, directory.path, O_RDONLY | O_DIRECTORY);
    if (!fd) io::throw_errno(errno, fmt::format("reading directory '{}' of the build context", directory.path));
    const auto visit = [&](const io::DirectoryName& name) { read_entry(fd.get(), directory, name, result, found, below); };
    const int error = names.read(fd.get(), visit);
    if (error != 0) io::throw_errno(error, fmt::format("reading directory '{}' of the build context", directory.path));
    if (found.children.empty()) return;
    std::ranges::sort(found.children, {}, &NamedNode::name);
    result.directories.push_back(std::move(found));
  }

  void read_entry(int fd, const PendingDirectory& directory, const io::DirectoryName& entry, ScannedTree& result,
                  ScannedDirectory& found, std::vector<PendingDirectory>& below) {
    const std::string path = join(directory.path, entry.text);
    const bool maybe_directory = entry.type == DT_DIR || entry.type == DT_UNKNOWN;
    IgnoreMatcher::Directory known;
    const bool left_out = root_.ignore->decide(directory.known, path, maybe_directory ? &known : nullptr);
    // What is left out is not even looked at.
    if (left_out && (!maybe_directory || !root_.ignore->may_reinclude_below(path))) return;
    struct stat status{};
    if (fstatat(fd, entry.text.data(), &status, AT_SYMLINK_NOFOLLOW) != 0) {
      if (errno == ENOENT) return;  // gone meanwhile
      io::throw_errno(errno, fmt::format("reading '{}' in the build context", path));
    }
    if (S_ISDIR(status.st_mode)) {
      below.push_back({path, std::move(known)});
    } else if (left_out) {
      return;
    }
    add(result, found, path, {fd, entry.text.data(), status}, left_out);
  }

  // An entry by its name in an open directory.
  struct Seen {
    int directory;
    const char* name;
    const struct stat& status;
  };

  void add(ScannedTree& result, ScannedDirectory& directory, const std::string& path, const Seen& seen, bool left_out) {
    const struct stat& status = seen.status;
    const auto type = type_of(status.st_mode);
    if (!type) return;
    const std::size_t slash = path.rfind('/');
    NamedNode found;
    found.name = slash == std::string::npos ? path : path.substr(slash + 1);
    Node& node = found.node;
    node.type = *type;
    node.mode = status.st_mode & 07777;
    node.mtime = {status.st_mtim.tv_sec, static_cast<std::uint32_t>(status.st_mtim.tv_nsec)};
    if (*type == FileType::regular) {
      node.size = static_cast<std::uint64_t>(status.st_size);
      if (device_ && status.st_dev == *device_) node.stamp = stamp_of(node, status);
    }
    if (*type == FileType::symlink) node.link_target = read_link(path, seen);
    if (*type == FileType::char_device || *type == FileType::block_device) {
      node.device_major = major(status.st_rdev);
      node.device_minor = minor(status.st_rdev);
    }
    if (*type != FileType::symlink && !is_plain(node)) node.xattrs = read_xattrs(seen);
    if (left_out) {
      result.left_out.emplace_back(path, std::move(node));
      return;
    }
    if (*type != FileType::directory && status.st_nlink > 1) {
      directory.links.push_back({found.name, {status.st_dev, status.st_ino}});
    }
    directory.children.push_back(std::move(found));
  }

  // As far as a context's files have one: the owner is the node's.
  static DiskStamp stamp_of(const Node& node, const struct stat& status) {
    DiskStamp stamp;
    stamp.inode = status.st_ino;
    stamp.ctime_ns = status.st_ctim.tv_sec * 1'000'000'000LL + status.st_ctim.tv_nsec;
    stamp.mtime_ns = status.st_mtim.tv_sec * 1'000'000'000LL + status.st_mtim.tv_nsec;
    stamp.size = node.size;
    stamp.mode = status.st_mode;
    stamp.uid = node.uid;
    stamp.gid = node.gid;
    return stamp;
  }

  bool is_plain(const Node& node) const {
    if (!trust_plain_ || !node.stamp.on_disk()) return false;
    const KnownFile* known = root_.known->find(*root_.file_system, node.stamp.inode, node.stamp.ctime_ns, node.size);
    return known && known->plain != 0;
  }

  static std::string read_link(const std::string& path, const Seen& seen) {
    std::string target(4096, '\0');
    const ssize_t length = readlinkat(seen.directory, seen.name, target.data(), target.size());
    if (length < 0) io::throw_errno(errno, fmt::format("reading link '{}' of the build context", path));
    target.resize(static_cast<std::size_t>(length));
    return target;
  }

  std::shared_ptr<const Xattrs> read_xattrs(const Seen& seen) {
    const dev_t device = seen.status.st_dev;
    if (without_xattrs_.load(std::memory_order_relaxed) == device) return nullptr;
    std::optional<Xattrs> found = io::xattrs_at(seen.directory, seen.name);
    if (!found && errno == ENOTSUP) without_xattrs_ = device;
    if (!found) return nullptr;
    found->erase("security.selinux");
    if (found->empty()) return nullptr;
    return std::make_shared<const Xattrs>(std::move(*found));
  }

  const ContextRoot& root_;
  std::optional<dev_t> device_;  // whose stamps count
  bool trust_plain_ = false;
  ScannedTree found_;
  std::atomic<dev_t> without_xattrs_ = 0;  // a file system that has none at all

  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<PendingDirectory> pending_;  // guarded by mutex_, as the next two
  std::size_t busy_ = 0;
  std::exception_ptr error_;
};

}  // namespace

ScannedTree scan_context(const ContextRoot& root, const std::string& path, unsigned threads) {
  return Scan(root).run(path, threads);
}

}  // namespace kiln::engine
