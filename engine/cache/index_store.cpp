#include "engine/cache/index_store.hpp"

#include "engine/rootfs/layer_reader.hpp"
#include "engine/rootfs/layer_stream.hpp"
#include "io/base/error.hpp"
#include "io/base/seconds_now.hpp"
#include "oci/tar/reader.hpp"

namespace kiln::engine {

using io::Task;

namespace {

// A damaged one is written anew by the next who makes it.
void verify_or_discard(const oci::BlobFile& file) {
  try {
    file.verify();
  } catch (const io::Error&) {
    file.discard();
    throw;
  }
}

// Of the last entry with this path; empty where the content is in no layer.
std::string read_in_layer(const Content& content, const std::atomic<bool>& stop) {
  std::string text;
  if (!content.layer) return text;
  const std::unique_ptr<io::ByteSource> source = open_layer(content.layer->blob->follow(&stop), &stop);
  oci::TarReader archive(*source);
  while (const auto entry = archive.next()) {
    if (entry->path == content.path && entry->type == FileType::regular) text = read_whole(archive, *entry);
  }
  return text;
}

}  // namespace

IndexContents contents_in(const std::vector<oci::SpoolBlobPtr>& layers) {
  IndexContents contents;
  for (const auto& layer : layers) contents.push_back(std::make_shared<const ContentLayer>(ContentLayer{layer}));
  return contents;
}

Task<oci::SpoolBlobPtr> fetch_index(io::Runtime& runtime, CachedLayer entry, std::string spool_directory, oci::OnBytes on_bytes) {
  auto blob = std::make_shared<oci::SpoolBlob>(runtime.executor(), spool_directory);
  if (entry.file) {
    const auto verify = [file = entry.file] { verify_or_discard(*file); };
    co_await io::offload(runtime.cpu(), verify);
    blob->adopt(std::move(entry.file->fd), entry.layer.digest, entry.layer.size);
  } else {
    co_await entry.registry->download(entry.repository, entry.layer, blob, on_bytes);
  }
  co_return blob;
}

Task<Tree> read_indexes(io::Runtime& runtime, std::vector<oci::SpoolBlobPtr> indexes, std::vector<IndexContents> contents) {
  Tree tree;
  const auto work = [&](std::atomic<bool>& stop) {
    for (std::size_t i = 0; i < indexes.size(); ++i) {
      const std::unique_ptr<io::ByteSource> archive = open_layer(indexes[i]->follow(&stop), &stop);
      apply_index(*archive, tree, contents[i]);
    }
  };
  co_await run_stoppable(runtime, work);
  co_return tree;
}

Task<void> write_index(io::Runtime& runtime, io::FileReader& reader, CacheStore& store, std::string spool_directory,
                       NewIndex index) {
  auto blob = std::make_shared<oci::SpoolBlob>(runtime.executor(), spool_directory);
  index.settings.compression = {io::Compression::zstd};
  const LayerFacts facts = co_await write_layer(runtime, reader, std::move(index.files.tree), std::move(index.files.changes),
                                                index.settings, blob, [] {});
  CachedLayer entry;
  entry.layer.media_type = oci::layer_media_type(oci::ImageFormat::oci, index.settings.compression.compression);
  entry.layer.digest = facts.digest;
  entry.layer.size = facts.size;
  entry.diff_id = facts.diff_id;
  entry.created = io::seconds_now();
  entry.step = std::move(index.step);
  entry.before = std::move(index.before);
  co_await store.put(std::move(index.key), std::move(entry), std::move(blob), "");
}

Task<bool> has_index(CacheStore& store, std::string key) {
  try {
    const std::optional<CachedLayer> known = co_await store.find(std::move(key));
    co_return known.has_value();
  } catch (const io::Error& error) {
    if (error.kind() != io::ErrorKind::integrity) throw;
  }
  co_return false;
}

Task<WholeFiles> read_user_files(io::Runtime& runtime, Tree tree) {
  WholeFiles files;
  const auto work = [&](std::atomic<bool>& stop) {
    for (const char* name : {"etc/passwd", "etc/group"}) {
      const std::string path = resolve_in_tree(tree, name);
      const auto node = tree.find(path);
      if (!node || node->type != FileType::regular) continue;
      if (std::string text = read_in_layer(node->content, stop); !text.empty()) files[path] = std::move(text);
    }
  };
  co_await run_stoppable(runtime, work);
  co_return files;
}

Task<void> write_tree_index(io::Runtime& runtime, io::FileReader& reader, CacheStore& store, std::string spool_directory,
                            std::string key, std::vector<oci::SpoolBlobPtr> layers, Tree tree, WholeFiles whole) {
  const bool known = co_await has_index(store, key);
  if (known || tree.size() > largest_index) co_return;
  const auto work = [&] { return index_of_tree(tree, layers, whole); };
  FileIndex files = co_await io::offload(runtime.cpu(), work);
  NewIndex index{std::move(key), std::move(files), {}, "(what is in the base image)", ""};
  co_await write_index(runtime, reader, store, std::move(spool_directory), std::move(index));
}

}  // namespace kiln::engine
