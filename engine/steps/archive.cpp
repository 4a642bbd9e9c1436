#include "engine/steps/archive.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>

#include <fmt/format.h>

#include "engine/rootfs/content_copy.hpp"
#include "io/base/error.hpp"
#include "io/file/open_beneath.hpp"
#include "oci/tar/archive_source.hpp"
#include "oci/tar/reader.hpp"

namespace kiln::engine {

namespace {

void save_content(oci::TarReader& reader, Node& node, const std::shared_ptr<const ContentDirectory>& scratch) {
  static std::atomic<std::uint64_t> last_number = 0;
  const std::string name = fmt::format("a{}", ++last_number);
  const io::UniqueFd file(openat(scratch->directory.get(), name.c_str(), O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600));
  if (!file) io::throw_errno(errno, "making a scratch file");
  while (const auto block = reader.next_block()) write_at(file.get(), block->offset, block->bytes, name);
  if (ftruncate(file.get(), static_cast<off_t>(node.size)) != 0) io::throw_errno(errno, "writing a scratch file");
  node.content.directory = scratch;
  node.content.path = name;
}

std::vector<ArchiveEntry> read_entries(io::ByteSource& source, const std::shared_ptr<const ContentDirectory>& scratch) {
  std::vector<ArchiveEntry> entries;
  oci::TarReader reader(source);
  while (const auto entry = reader.next()) {
    if (entry->type == FileType::hard_link) {
      entries.push_back({entry->path, Node(), entry->link_target});
      continue;
    }
    ArchiveEntry added{entry->path, node_of(*entry), ""};
    if (entry->type == FileType::regular) save_content(reader, added.node, scratch);
    entries.push_back(std::move(added));
  }
  return entries;
}

}  // namespace

io::Task<std::optional<std::vector<ArchiveEntry>>> read_archive(io::Runtime& runtime, Content content, std::string name,
                                                                std::shared_ptr<const ContentDirectory> scratch) {
  auto work = [&]() -> std::optional<std::vector<ArchiveEntry>> {
    const io::UniqueFd file = io::open_beneath(content.directory->directory.get(), content.path, O_RDONLY);
    if (!file) io::throw_errno(errno, fmt::format("opening '{}'", name));
    const auto source = oci::open_archive(file.get());
    if (!source) return std::nullopt;
    return io::with_context("ADD " + name, [&] { return read_entries(*source, scratch); });
  };
  auto entries = co_await io::offload(runtime.waiting(), work);
  co_return entries;
}

}  // namespace kiln::engine
