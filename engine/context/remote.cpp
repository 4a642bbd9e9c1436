#include "engine/context/remote.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <vector>

#include <fmt/format.h>

#include "engine/context/bucket.hpp"
#include "engine/context/get.hpp"
#include "engine/context/git.hpp"
#include "engine/context/git_program.hpp"
#include "engine/context/source_login.hpp"
#include "engine/rootfs/content_copy.hpp"
#include "engine/rootfs/disk_writer.hpp"
#include "engine/tree/tree.hpp"
#include "io/base/error.hpp"
#include "io/base/fd.hpp"
#include "io/file/make_directories.hpp"
#include "oci/tar/archive_source.hpp"
#include "oci/tar/reader.hpp"

namespace kiln::engine {

namespace {

using io::Task;
namespace fs = std::filesystem;

constexpr std::size_t buffer_size = 512U << 10U;

// Regular files and links are written as they come; directories get their modes and times at the end. Gives the time of the newest
// regular file.
std::optional<std::int64_t> unpack(io::ByteSource& source, int root) {
  const ProtectedPaths nothing;
  DiskWriter writer(root, nothing);
  Tree tree;
  std::optional<std::int64_t> newest;
  oci::TarReader reader(source);
  while (const auto entry = reader.next()) {
    if (entry->path.empty()) continue;
    Node node = node_of(*entry);
    if (entry->type == FileType::regular) newest = std::max(newest.value_or(node.mtime.seconds), node.mtime.seconds);
    node.uid = geteuid();
    node.gid = getegid();
    node.xattrs.reset();
    if (entry->type == FileType::hard_link) {
      writer.link(entry->path, entry->link_target, node);
      continue;
    }
    writer.put(entry->path, node, [&](int file) {
      while (const auto block = reader.next_block()) write_at(file, block->offset, block->bytes, entry->path);
      if (ftruncate(file, static_cast<off_t>(entry->size)) != 0) io::throw_errno(errno, fmt::format("writing '{}'", entry->path));
    });
    if (node.is_directory()) tree.put(entry->path, node);
  }
  writer.finish_directories(tree);
  return newest;
}

std::optional<std::int64_t> unpack_file(int file, const std::string& name, const std::string& directory) {
  return io::with_context(fmt::format("unpacking context {}", name), [&] {
    const auto source = oci::open_archive(file);
    if (!source) throw io::Error(io::ErrorKind::context, "it is no tar archive, plain or compressed by gzip, bzip2, xz or zstd");
    const io::UniqueFd root(open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!root) io::throw_errno(errno, fmt::format("opening '{}'", directory));
    return unpack(*source, root.get());
  });
}

io::UniqueFd make_scratch_file(const std::string& directory) {
  io::UniqueFd file(open(directory.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600));
  if (file) return file;
  const std::string name = directory + ".archive";  // file systems without O_TMPFILE
  file = io::UniqueFd(open(name.c_str(), O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, 0600));
  if (!file) io::throw_errno(errno, fmt::format("making '{}'", name));
  unlink(name.c_str());
  return file;
}

// An archive is sniffed and then read from its start, so what cannot be read twice is copied.
void copy_stream(int from, int to, const std::string& name) {
  std::vector<std::byte> buffer(buffer_size);
  for (std::uint64_t offset = 0;;) {
    const ssize_t count = read(from, buffer.data(), buffer.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) io::throw_errno(errno, fmt::format("reading {}", name));
    if (count == 0) return;
    write_at(to, offset, io::Bytes(buffer).first(static_cast<std::size_t>(count)), name);
    offset += static_cast<std::uint64_t>(count);
  }
}

// `url` is what the request is for, as the user wrote it. Gives Last-Modified.
Task<std::optional<std::int64_t>> download(io::Runtime& runtime, io::http::Client& http, std::string url, io::http::Request request,
                                           int file) {
  io::http::Response response = co_await get(http, std::move(request), url);
  co_await receive_body(runtime, response, [&](std::uint64_t offset, io::Bytes piece) { write_at(file, offset, piece, url); });
  co_return last_modified(response);
}

Task<std::optional<std::int64_t>> fetch_archive(io::Runtime& runtime, io::http::Client& http, RemoteContext context,
                                                std::string directory) {
  const std::string& url = context.url;
  std::optional<std::int64_t> time;
  io::UniqueFd file;
  if (url == "tar://stdin") {
    if (isatty(STDIN_FILENO) == 1) throw io::Error(io::ErrorKind::usage, "--context=tar://stdin: standard input is a terminal");
    file = make_scratch_file(directory);
    auto copy = [&] { copy_stream(STDIN_FILENO, file.get(), "standard input"); };
    co_await io::offload(runtime.waiting(), copy);
  } else if (url.starts_with("tar://")) {
    file = io::UniqueFd(open(url.substr(6).c_str(), O_RDONLY | O_CLOEXEC));
    if (!file) io::throw_errno(errno, fmt::format("opening context {}", url));
  } else {
    file = make_scratch_file(directory);
    io::http::Request request;
    if (is_bucket(url)) {
      request = co_await bucket_request(http, url);
    } else {
      request = get_request(url, context.authorization);
    }
    time = co_await download(runtime, http, url, std::move(request), file.get());
  }
  std::optional<std::int64_t> newest;
  auto work = [&] { newest = unpack_file(file.get(), url, directory); };
  co_await io::offload(runtime.waiting(), work);
  co_return time ? time : newest;
}

bool is_git(const std::string& url) {
  return is_ssh(url) || url.starts_with("git://") || (url.starts_with("http") && url.substr(0, url.find('#')).ends_with(".git"));
}

}  // namespace

bool is_remote_context(const std::string& context) {
  if (is_ssh(context)) return true;
  const auto scheme = context.find("://");
  if (scheme == std::string::npos || context.starts_with("dir://")) return false;
  if (context.starts_with("tar://") || context.starts_with("https://") || is_git(context) || is_bucket(context)) return true;
  throw io::Error(
      io::ErrorKind::unsupported,
      fmt::format("context {}: {}:// is not supported; directories, tar://, https://, git://, ssh://, s3:// and gs:// are", context,
                  context.substr(0, scheme)));
}

std::string context_authorization(const std::map<std::string, std::string>& secrets, const std::string& context) {
  return is_git(context) ? git_authorization(secrets, parse_git_context(context).url) : download_authorization(secrets, context);
}

Task<FetchedContext> fetch_context(io::Runtime& runtime, io::http::Client& http, RemoteContext context, std::string directory) {
  io::make_directories(directory);
  FetchedContext fetched{directory, std::nullopt};
  if (is_git(context.url)) {
    fetched.time = co_await fetch_git(runtime, context, directory);
  } else {
    fetched.time = co_await fetch_archive(runtime, http, context, directory);
  }
  if (context.sub_path.empty()) co_return fetched;
  // A link in an archive must not lead out of it.
  std::error_code error;
  const fs::path below = fs::weakly_canonical(directory + "/" + context.sub_path, error);
  const std::string root = fs::canonical(directory, error);
  if (error || !fs::is_directory(below, error) || !(below.string() + "/").starts_with(root + "/")) {
    throw io::Error(io::ErrorKind::context, fmt::format("context {} has no directory '{}'", context.url, context.sub_path));
  }
  fetched.directory = below;
  co_return fetched;
}

Task<void> fetch_file(io::Runtime& runtime, io::http::Client& http, std::string url, std::string path) {
  const io::UniqueFd file(open(path.c_str(), O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0644));
  if (!file) io::throw_errno(errno, fmt::format("making '{}'", path));
  io::http::Request request = get_request(url, "");
  co_await download(runtime, http, std::move(url), std::move(request), file.get());
}

}  // namespace kiln::engine
