#include "engine/rootfs/layer_reader.hpp"

#include <utility>
#include <vector>

#include "engine/rootfs/content_copy.hpp"
#include "engine/tree/tree.hpp"
#include "io/base/error.hpp"
#include "io/codec/read_ahead.hpp"

namespace kiln::engine {

namespace {

constexpr std::size_t ahead_buffer = 1U << 20U;
constexpr unsigned ahead_buffers = 4;
constexpr std::size_t entries_ahead = 16'384;  // about 5 MB

// A decompressor that owns what it reads from.
class LayerSource final : public io::ByteSource {
 public:
  LayerSource(std::shared_ptr<io::ByteSource> input, const std::atomic<bool>* stop) : input_(std::move(input)), stop_(stop) {}
  std::size_t read(io::MutableBytes buffer) override {
    if (stop_ && *stop_) throw io::Error(io::ErrorKind::cancelled, "cancelled");
    if (!inflated_) inflated_ = io::make_decompressor(*input_);
    return inflated_->read(buffer);
  }

 private:
  std::shared_ptr<io::ByteSource> input_;
  std::unique_ptr<io::ByteSource> inflated_;
  const std::atomic<bool>* stop_;
};

}  // namespace

std::unique_ptr<io::ByteSource> open_layer(std::shared_ptr<io::ByteSource> input, const std::atomic<bool>* stop) {
  return io::make_read_ahead(std::make_unique<LayerSource>(std::move(input), stop), ahead_buffer, ahead_buffers);
}

LayerReader::LayerReader(const LayerInput& input, const std::atomic<bool>* stop)
    : times_(input.times), input_(input.open(stop)), source_(open_layer(input_, stop)) {}

LayerReader::~LayerReader() { take_over(); }

oci::TarReader& LayerReader::archive() {
  if (!archive_) archive_.emplace(*source_);
  return *archive_;
}

// An archive may end before its blob does, and only the blob's end tells that its bytes are right.
std::optional<oci::TarEntry> LayerReader::next_in_archive() {
  std::optional<oci::TarEntry> entry = archive().next();
  if (entry) {
    if (const auto node = times_ ? times_->find(entry->path) : std::nullopt) entry->mtime = node->mtime;
    return entry;
  }
  std::vector<std::byte> scratch(64U << 10U);
  while (!source_->next(scratch).empty()) {
  }
  return std::nullopt;
}

void LayerReader::await_verdict() {
  take_over();
  archive_.reset();
  source_.reset();
  std::vector<std::byte> scratch(1U << 20U);
  while (input_->read(scratch) > 0) {
  }
}

void LayerReader::start_ahead(std::unique_ptr<StagedFiles> files) {
  thread_ = std::thread([this, files = std::move(files)] {
    try {
      read_ahead(files.get());
    } catch (...) {
      failure_ = std::current_exception();
    }
  });
}

void LayerReader::take_over() {
  if (!thread_.joinable()) return;
  {
    const std::lock_guard lock(mutex_);
    taken_over_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

// Waits while the list is full.
bool LayerReader::may_go_on() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return ahead_.size() < entries_ahead || taken_over_; });
  return !taken_over_;
}

void LayerReader::read_ahead(StagedFiles* files) {
  while (may_go_on()) {
    auto entry = next_in_archive();
    if (!entry) {
      ended_ = true;
      return;
    }
    ahead_.push_back(read_entry(std::move(*entry), files));
  }
}

LayerReader::Ahead LayerReader::read_entry(oci::TarEntry entry, StagedFiles* files) {
  if (!files || entry.type != FileType::regular) return {std::move(entry), {}};
  const auto content = [&](int file) { write_entry(archive(), file, entry.size, entry.path); };
  StagedFile file = files->add(entry.path, node_of(entry), content);
  return {std::move(entry), std::move(file)};
}

std::optional<oci::TarEntry> LayerReader::next() {
  if (!ahead_.empty()) {
    current_ = std::move(ahead_.front());
    ahead_.pop_front();
    return std::move(current_.entry);
  }
  current_ = {};
  if (failure_) std::rethrow_exception(failure_);
  if (ended_) return std::nullopt;
  return next_in_archive();
}

}  // namespace kiln::engine
