// Kaniko's "full": the contents of all files before and after. What mtime, size, mode and owner do not give away, a hash does.
#include <fcntl.h>
#include <unistd.h>

#include <atomic>

#include "engine/snapshot/detectors.hpp"
#include "io/codec/digest.hpp"
#include "io/file/open_beneath.hpp"
#include "io/loop/task_group.hpp"

namespace kiln::engine {

namespace {

using io::Task;

io::Xxh128Value hash_file(int root, const std::string& path) {
  io::Xxh128 hash;
  const io::UniqueFd file = io::open_beneath(root, path, O_RDONLY | O_NONBLOCK);
  std::vector<std::byte> buffer(128U << 10U);
  while (file) {
    const ssize_t count = read(file.get(), buffer.data(), buffer.size());
    if (count <= 0) break;
    hash.update(io::Bytes(buffer).first(static_cast<std::size_t>(count)));
  }
  return hash.finish();
}

class ContentDetector final : public Detector {
 public:
  explicit ContentDetector(io::Runtime& runtime) : runtime_(runtime), originals_(runtime) {}

  std::string_view name() const noexcept override { return name_of(SnapshotMode::full); }

  Task<void> arm(const Rootfs& root, const Tree& tree) override {
    Findings found = co_await scan_all(runtime_, root, tree, StampRule::mtime_and_size, true);
    hashes_.clear();
    const std::vector<io::Xxh128Value> values = co_await hash_all(root, found.quiet);
    for (std::size_t i = 0; i < values.size(); ++i) hashes_.emplace(std::move(found.quiet[i].path), values[i]);
    co_await wait_for_tick();
  }

  Task<Changes> detect(Rootfs& root, Tree& tree) override {
    Findings found = co_await scan_all(runtime_, root, tree, StampRule::mtime_and_size, true);
    const std::vector<io::Xxh128Value> values = co_await hash_all(root, found.quiet);
    for (std::size_t i = 0; i < values.size(); ++i) {
      const auto known = hashes_.find(found.quiet[i].path);
      const bool same = known != hashes_.end() && known->second == values[i];
      if (!same) found.candidates.push_back(std::move(found.quiet[i]));
    }
    Changes changes = co_await apply_findings(runtime_, originals_, root, tree, std::move(found));
    co_return changes;
  }

  void keep_captured(const Tree& tree, const Changes& changes, const oci::SpoolBlobPtr& blob) override {
    originals_.keep(tree, changes, blob);
  }

 private:
  Task<std::vector<io::Xxh128Value>> hash_all(const Rootfs& root, const std::vector<DiskEntry>& files) {
    std::vector<io::Xxh128Value> values(files.size());
    std::atomic<std::size_t> next = 0;
    io::TaskGroup group(runtime_.executor());
    for (unsigned i = 0; i < runtime_.cpu().size(); ++i) group.spawn(hash_some(root, files, next, values));
    co_await group.join();
    co_return values;
  }

  Task<void> hash_some(const Rootfs& root, const std::vector<DiskEntry>& files, std::atomic<std::size_t>& next,
                       std::vector<io::Xxh128Value>& values) {
    auto work = [&, fd = root.directories().back()->directory.get()] {
      for (std::size_t i = next++; i < files.size(); i = next++) values[i] = hash_file(fd, files[i].path);
    };
    co_await io::offload(runtime_.cpu(), work);
  }

  io::Runtime& runtime_;
  Originals originals_;
  std::unordered_map<std::string, io::Xxh128Value> hashes_;
};

}  // namespace

std::unique_ptr<Detector> make_content_detector(io::Runtime& runtime) { return std::make_unique<ContentDetector>(runtime); }

}  // namespace kiln::engine
