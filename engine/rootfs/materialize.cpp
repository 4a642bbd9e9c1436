// Contents of layer blobs as files: every blob is inflated once, whatever the number of files wanted from it.
#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <map>
#include <set>

#include <fmt/format.h>

#include "engine/rootfs/content_copy.hpp"
#include "engine/rootfs/layer_reader.hpp"
#include "engine/rootfs/layer_stream.hpp"
#include "engine/rootfs/rootfs.hpp"
#include "io/base/error.hpp"

namespace kiln::engine {

namespace {

using Wanted = std::map<std::string, std::vector<Content*>>;  // path in the layer -> who wants it

// A path that occurs twice in a layer counts as the last one, so the pass goes to the end.
void extract_wanted(const oci::SpoolBlobPtr& blob, const Wanted& wanted, const std::shared_ptr<const ContentDirectory>& directory,
                    std::atomic<bool>& stop, std::map<std::string, std::string>& names) {
  static std::atomic<std::uint64_t> last_number = 0;
  const auto source = open_layer(blob->follow(&stop), &stop);
  oci::TarReader reader(*source);
  while (const auto entry = reader.next()) {
    if (entry->type != FileType::regular || !wanted.contains(entry->path)) continue;
    const std::string name = fmt::format("c{}", ++last_number);
    const io::UniqueFd file(openat(directory->directory.get(), name.c_str(), O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600));
    if (!file) io::throw_errno(errno, fmt::format("making scratch file '{}'", name));
    write_entry(reader, file.get(), entry->size, entry->path);
    names[entry->path] = name;
  }
}

}  // namespace

io::Task<void> materialize_layer_contents(io::Runtime& runtime, std::vector<Content*> contents,
                                          std::shared_ptr<const ContentDirectory> directory) {
  std::map<oci::SpoolBlobPtr, Wanted> by_blob;
  for (Content* content : contents) {
    if (content->layer) by_blob[content->layer->blob][content->path].push_back(content);
  }
  for (auto& [blob, wanted] : by_blob) {
    std::map<std::string, std::string> names;
    auto work = [&blob, &wanted, &directory, &names](std::atomic<bool>& stop) {
      extract_wanted(blob, wanted, directory, stop, names);
    };
    co_await run_stoppable(runtime, work);
    for (auto& [path, users] : wanted) {
      if (!names.contains(path)) throw io::Error(io::ErrorKind::internal, fmt::format("'{}' is not in its layer", path));
      for (Content* content : users) {
        content->layer.reset();
        content->directory = directory;
        content->path = names[path];
      }
    }
  }
}

}  // namespace kiln::engine
