#include "engine/cache/fingerprint.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <map>

#include <fmt/format.h>

#include "engine/cache/key.hpp"
#include "io/base/error.hpp"
#include "io/codec/digest.hpp"
#include "io/file/open_beneath.hpp"
#include "io/loop/task_group.hpp"

namespace kiln::engine {

namespace {

using io::Task;

io::Sha256Value hash_content(const Content& content, std::vector<std::byte>& buffer) {
  if (content.inline_bytes) return io::sha256(io::as_bytes(content.inline_bytes->bytes));
  if (!content.directory) throw io::Error(io::ErrorKind::internal, fmt::format("'{}' has no bytes to be hashed", content.path));
  const io::UniqueFd file = io::open_beneath(content.directory->directory.get(), content.path, O_RDONLY | O_NONBLOCK);
  if (!file) io::throw_errno(errno, fmt::format("reading '{}' for its cache key", content.path));
  io::Sha256 hash;
  while (true) {
    const ssize_t count = read(file.get(), buffer.data(), buffer.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) io::throw_errno(errno, fmt::format("reading '{}' for its cache key", content.path));
    if (count == 0) return hash.finish();
    hash.update(io::Bytes(buffer).first(static_cast<std::size_t>(count)));
  }
}

struct File {
  Content content;
  std::uint32_t mode = 0;
  io::Sha256Value hash;
};

std::uint32_t shortened(const io::Sha256Value& hash) {
  std::uint32_t value = 0;
  for (std::size_t i = 0; i < 4; ++i) value = value << 8U | std::to_integer<std::uint32_t>(hash[i]);
  return value;
}

// Hashes files until none is left; several of these share `next`.
Task<void> hash_some(io::Runtime& runtime, std::vector<File>& files, std::atomic<std::size_t>& next) {
  auto work = [&files, &next] {
    std::vector<std::byte> buffer(128U << 10U);
    for (std::size_t i = next++; i < files.size(); i = next++) files[i].hash = hash_content(files[i].content, buffer);
  };
  co_await io::offload(runtime.cpu(), work);
}

void add_node(KeyBuilder& key, const std::string& path, const Node& node) {
  key.field("path", path);
  key.number("type", static_cast<std::uint64_t>(node.type)).number("mode", node.mode);
  key.number("uid", node.uid).number("gid", node.gid);
  if (node.type == FileType::symlink) key.field("target", node.link_target);
  if (node.type == FileType::char_device || node.type == FileType::block_device) {
    key.number("major", node.device_major).number("minor", node.device_minor);
  }
  if (!node.xattrs) return;
  for (const auto& [name, value] : *node.xattrs) key.field("xattr", name).field("value", value);
}

}  // namespace

std::uint32_t hash_in_short(std::string_view content) { return shortened(io::sha256(io::as_bytes(content))); }

Task<std::string> fingerprint(io::Runtime& runtime, Tree tree, Changes changes, FileHashes* read) {
  std::vector<File> files;
  std::map<std::uint64_t, std::string> first_names;  // link_id -> the name that stands for the inode
  for (const auto& change : changes) {
    const auto node = change.kind == Change::Kind::put ? tree.find(change.path) : std::nullopt;
    if (!node || node->type != FileType::regular) continue;
    if (node->link_id != 0 && !first_names.try_emplace(node->link_id, change.path).second) continue;
    files.push_back({node->content, node->mode, {}});
  }
  std::atomic<std::size_t> next = 0;
  io::TaskGroup group(runtime.executor());
  for (unsigned worker = 0; worker < runtime.cpu().size(); ++worker) group.spawn(hash_some(runtime, files, next));
  co_await group.join();

  KeyBuilder key("files");
  std::size_t file = 0;
  for (const auto& change : changes) {
    const auto node = change.kind == Change::Kind::put ? tree.find(change.path) : std::nullopt;
    if (!node) continue;
    add_node(key, change.path, *node);
    if (node->type != FileType::regular) continue;
    const auto first = node->link_id != 0 ? first_names.find(node->link_id) : first_names.end();
    if (first != first_names.end() && first->second != change.path) {
      key.field("link", first->second);
    } else {
      key.field("bytes", io::to_hex(files[file++].hash));
    }
  }
  for (std::size_t i = 0; read && i < files.size(); ++i) {
    if (files[i].content.directory)
      read->push_back({std::move(files[i].content.path), 'f', files[i].mode, shortened(files[i].hash)});
  }
  co_return key.finish();
}

}  // namespace kiln::engine
