#include "bench/phases/plain_unpack.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <exception>
#include <functional>
#include <thread>

#include <fmt/format.h>

#include "bench/phases/plain_tar.hpp"
#include "io/base/error.hpp"
#include "io/base/fd.hpp"

namespace kiln::bench {

namespace {

class FileSource final : public io::ByteSource {
 public:
  explicit FileSource(const std::string& path) : file_(open(path.c_str(), O_RDONLY | O_CLOEXEC)) {
    if (!file_) io::throw_errno(errno, fmt::format("opening layer '{}'", path));
  }
  std::size_t read(io::MutableBytes buffer) override {
    const ssize_t count = ::read(file_.get(), buffer.data(), buffer.size());
    if (count < 0) io::throw_errno(errno, "reading a layer");
    return static_cast<std::size_t>(count);
  }

 private:
  io::UniqueFd file_;
};

class PlainUnpacker {
 public:
  explicit PlainUnpacker(int root) : root_(root), own_uid_(geteuid()), own_gid_(getegid()) {}

  void unpack(const LayerFile& layer) {
    FileSource file(layer.path);
    const auto inflated = io::make_decompressor(file);
    PlainTar archive(*inflated);
    while (const auto entry = archive.next()) put(archive, *entry);
  }

  UnpackCounts counts;

 private:
  void put(PlainTar& archive, const PlainEntry& entry) {
    const auto slash = entry.path.rfind('/');
    const bool whiteout = entry.path.compare(slash == std::string::npos ? 0 : slash + 1, 4, ".wh.") == 0;
    if (entry.path.empty()) return;
    ++counts.entries;
    if (whiteout || entry.type < '0' || entry.type > '7') {
      ++counts.left_out;
    } else if (entry.type == '0' || entry.type == '7') {
      put_file(archive, entry);
    } else if (entry.type == '5') {
      put_directory(entry);
    } else {
      put_other(entry);
    }
  }

  // Calls `make`, which gives 0 or an errno, again after what is in its way is gone or the directories above are there.
  int insist(const PlainEntry& entry, const std::function<int()>& make) {
    int error = make();
    if (error == EEXIST && unlinkat(root_, entry.path.c_str(), 0) == 0) error = make();
    if (error == ENOENT) {
      make_parents(entry.path);
      error = make();
    }
    return error;
  }

  void make_parents(const std::string& path) const {
    for (std::size_t slash = path.find('/'); slash != std::string::npos; slash = path.find('/', slash + 1)) {
      mkdirat(root_, path.substr(0, slash).c_str(), 0755);
    }
  }

  void put_file(PlainTar& archive, const PlainEntry& entry) {
    io::UniqueFd file;
    const mode_t plain = entry.mode & 0755U;
    const int error = insist(entry, [&] {
      file = io::UniqueFd(openat(root_, entry.path.c_str(), O_CREAT | O_EXCL | O_WRONLY | O_NOFOLLOW | O_CLOEXEC, plain));
      return file ? 0 : errno;
    });
    check(error, entry);
    for (io::Bytes piece = archive.content(); !piece.empty(); piece = archive.content()) {
      while (!piece.empty()) {
        const ssize_t count = write(file.get(), piece.data(), piece.size());
        if (count < 0) check(errno, entry);
        piece = piece.subspan(static_cast<std::size_t>(count));
      }
    }
    if (foreign(entry)) counts.left_out += fchown(file.get(), entry.uid, entry.gid) != 0 ? 1 : 0;
    if (plain != entry.mode) check(fchmod(file.get(), entry.mode) == 0 ? 0 : errno, entry);
    const timespec times[2] = {{0, UTIME_NOW}, {entry.mtime, 0}};
    check(futimens(file.get(), times) == 0 ? 0 : errno, entry);
    counts.bytes += entry.size;
  }

  void put_directory(const PlainEntry& entry) {
    const int error = insist(entry, [&] { return mkdirat(root_, entry.path.c_str(), entry.mode | 0700U) == 0 ? 0 : errno; });
    if (error != EEXIST) check(error, entry);
    if (foreign(entry))
      counts.left_out += fchownat(root_, entry.path.c_str(), entry.uid, entry.gid, AT_SYMLINK_NOFOLLOW) != 0 ? 1 : 0;
  }

  void put_other(const PlainEntry& entry) {
    const int error = insist(entry, [&] { return make_other(entry) == 0 ? 0 : errno; });
    counts.left_out += error != 0 ? 1 : 0;
    if (error != 0 || entry.type == '1') return;
    if (foreign(entry))
      counts.left_out += fchownat(root_, entry.path.c_str(), entry.uid, entry.gid, AT_SYMLINK_NOFOLLOW) != 0 ? 1 : 0;
    const timespec times[2] = {{0, UTIME_NOW}, {entry.mtime, 0}};
    utimensat(root_, entry.path.c_str(), times, AT_SYMLINK_NOFOLLOW);
  }

  int make_other(const PlainEntry& entry) const {
    const char* path = entry.path.c_str();
    switch (entry.type) {
      case '1': return linkat(root_, entry.link.c_str() + (entry.link.starts_with("./") ? 2 : 0), root_, path, 0);
      case '2': return symlinkat(entry.link.c_str(), root_, path);
      case '6': return mknodat(root_, path, S_IFIFO | entry.mode, 0);
      default: errno = EPERM; return -1;
    }
  }

  bool foreign(const PlainEntry& entry) const { return entry.uid != own_uid_ || entry.gid != own_gid_; }

  static void check(int error, const PlainEntry& entry) {
    if (error != 0) io::throw_errno(error, fmt::format("making '{}'", entry.path));
  }

  int root_;
  uid_t own_uid_;
  gid_t own_gid_;
};

}  // namespace

UnpackCounts unpack_plainly(const std::vector<LayerFile>& layers, const std::string& directory, unsigned threads) {
  const io::UniqueFd root(open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!root) io::throw_errno(errno, fmt::format("opening '{}'", directory));
  std::vector<LayerFile> queue = layers;
  std::ranges::sort(queue, std::ranges::greater(), &LayerFile::size);
  std::atomic<std::size_t> next = 0;
  std::vector<UnpackCounts> counts(threads);
  std::vector<std::exception_ptr> failures(threads);
  const mode_t mask = umask(0);
  {
    std::vector<std::jthread> loops;
    for (unsigned i = 0; i < threads; ++i) {
      loops.emplace_back([&, i] {
        try {
          PlainUnpacker unpacker(root.get());
          for (std::size_t number = next++; number < queue.size(); number = next++) unpacker.unpack(queue[number]);
          counts[i] = unpacker.counts;
        } catch (...) {
          failures[i] = std::current_exception();
        }
      });
    }
  }
  umask(mask);
  for (const auto& failure : failures) {
    if (failure) std::rethrow_exception(failure);
  }
  UnpackCounts sum;
  for (const auto& part : counts) {
    sum.entries += part.entries;
    sum.bytes += part.bytes;
    sum.left_out += part.left_out;
  }
  return sum;
}

}  // namespace kiln::bench
