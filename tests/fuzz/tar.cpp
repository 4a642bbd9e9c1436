// The tar reader behind the decompressor that the first bytes ask for: any bytes are read or refused with io::Error, and no
// path leaves the archive. What is read is applied to a tree twice, as a layer's entries and as an index of files.
#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string_view>

#include "engine/cache/file_index.hpp"
#include "engine/tree/tree.hpp"
#include "io/base/error.hpp"
#include "oci/tar/reader.hpp"
#include "tests/fuzz/require.hpp"

namespace {

using kiln::fuzz::require;
using kiln::io::MutableBytes;

constexpr std::size_t most_bytes = 4 << 20;  // of one input, unpacked: bombs and sparse files end here

class Memory : public kiln::io::ByteSource {
 public:
  Memory(const std::uint8_t* data, std::size_t size) : data_(data), size_(size) {}
  std::size_t read(MutableBytes buffer) override {
    const std::size_t length = std::min(size_, buffer.size());
    if (length > 0) std::memcpy(buffer.data(), data_, length);
    data_ += length;
    size_ -= length;
    return length;
  }

 private:
  const std::uint8_t* data_;
  std::size_t size_;
};

class Limited : public kiln::io::ByteSource {
 public:
  explicit Limited(kiln::io::ByteSource& source) : source_(source) {}
  std::size_t read(MutableBytes buffer) override {
    if (left_ == 0) return 0;
    const std::size_t length = source_.read(buffer.first(std::min(left_, buffer.size())));
    left_ -= length;
    return length;
  }

 private:
  kiln::io::ByteSource& source_;
  std::size_t left_ = most_bytes;
};

void require_inside(std::string_view path) {
  require(!path.starts_with('/'), "a path is relative");
  while (!path.empty()) {
    const auto end = std::min(path.find('/'), path.size());
    const std::string_view part = path.substr(0, end);
    require(!part.empty() && part != "." && part != "..", "a path is clean");
    path.remove_prefix(std::min(end + 1, path.size()));
  }
}

void read_all(kiln::oci::TarReader& reader) {
  std::array<std::byte, 4096> buffer{};
  std::size_t left = most_bytes;
  for (bool by_block = false; const auto entry = reader.next(); by_block = !by_block) {
    require_inside(entry->path);
    if (entry->type == kiln::oci::FileType::hard_link) require_inside(entry->link_target);
    if (entry->type != kiln::oci::FileType::regular) continue;
    if (by_block) {
      while (const auto block = reader.next_block()) {
        left -= std::min(left, block->bytes.size());
        if (left == 0) return;
      }
      continue;
    }
    while (const std::size_t length = reader.read(buffer)) {
      left -= std::min(left, length);
      if (left == 0) return;
    }
  }
}

void apply(kiln::io::ByteSource& archive, kiln::engine::Tree& tree) {
  kiln::engine::LayerApplier layer(tree, nullptr);
  kiln::oci::TarReader reader(archive);
  while (const auto entry = reader.next()) layer.apply(*entry);
}

// Each pass reads the bytes anew.
template <class Pass>
void run(const std::uint8_t* data, std::size_t size, const Pass& pass) {
  try {
    Memory memory(data, size);
    const auto unpacked = kiln::io::make_decompressor(memory);
    Limited limited(*unpacked);
    pass(limited);
  } catch (const kiln::io::Error& error) {
    require(error.kind() == kiln::io::ErrorKind::integrity || error.kind() == kiln::io::ErrorKind::unsupported ||
                error.kind() == kiln::io::ErrorKind::context,  // links that lead in a circle
            "a bad archive is an error of integrity");
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  run(data, size, [](kiln::io::ByteSource& archive) {
    kiln::oci::TarReader reader(archive);
    read_all(reader);
  });
  kiln::engine::Tree tree;
  run(data, size, [&tree](kiln::io::ByteSource& archive) { apply(archive, tree); });
  run(data, size, [&tree](kiln::io::ByteSource& archive) {
    kiln::engine::apply_index(archive, tree, {std::make_shared<const kiln::engine::ContentLayer>()});
  });
  return 0;
}
