// Kaniko's "full": the contents of all files before and after. What mtime, size, mode and owner do not give away, a hash does.
#include "engine/snapshot/content_hashes.hpp"
#include "engine/snapshot/detectors.hpp"

namespace kiln::engine {

namespace {

using io::Task;

class ContentDetector final : public DirectoryDetector {
 public:
  ContentDetector(io::Runtime& runtime, io::ReaderChoice reader) : DirectoryDetector(runtime), reader_(reader) {}

  std::string_view name() const noexcept override { return name_of(SnapshotMode::full); }

  Task<void> arm(const Rootfs& root, const Tree& tree) override {
    Findings found = co_await scan_all(runtime_, root, tree, StampRule::mtime_and_size, true);
    hashes_.clear();
    const std::vector<io::Xxh128Value> values =
        co_await hash_contents(runtime_, root.directories().back()->directory.get(), found.quiet, reader_);
    for (std::size_t i = 0; i < values.size(); ++i) hashes_.emplace(std::move(found.quiet[i].path), values[i]);
    co_await wait_for_tick();
  }

  Task<Changes> detect(Rootfs& root, Tree& tree) override {
    Findings found = co_await scan_all(runtime_, root, tree, StampRule::mtime_and_size, true);
    const std::vector<io::Xxh128Value> values =
        co_await hash_contents(runtime_, root.directories().back()->directory.get(), found.quiet, reader_);
    for (std::size_t i = 0; i < values.size(); ++i) {
      const auto known = hashes_.find(found.quiet[i].path);
      const bool same = known != hashes_.end() && known->second == values[i];
      if (!same) found.candidates.push_back(std::move(found.quiet[i]));
    }
    Changes changes = co_await apply(root, tree, std::move(found));
    co_return changes;
  }

 private:
  io::ReaderChoice reader_;
  std::unordered_map<std::string, io::Xxh128Value> hashes_;
};

}  // namespace

std::unique_ptr<Detector> make_content_detector(io::Runtime& runtime, io::ReaderChoice reader) {
  return std::make_unique<ContentDetector>(runtime, reader);
}

}  // namespace kiln::engine
