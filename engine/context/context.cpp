#include "engine/context/context.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <optional>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "io/base/error.hpp"
#include "io/file/read_file.hpp"
#include "io/loop/cpu_pool.hpp"

namespace kiln::engine {

namespace {

constexpr unsigned most_threads = 4;
constexpr int most_links = 40;

}  // namespace

Context::Context(std::string directory, IgnoreMatcher ignore, std::string description)
    : directory_(std::move(directory)), ignore_(std::move(ignore)) {
  io::UniqueFd fd(open(directory_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd) {
    throw io::Error(io::ErrorKind::context, fmt::format("opening {} '{}': {}", description, directory_, std::strerror(errno)));
  }
  auto content = std::make_shared<ContentDirectory>();
  content->directory = std::move(fd);
  content->description = std::move(description);
  file_system_ = file_system_id(content->directory.get());
  content_ = std::move(content);
}

Context Context::again() const {
  auto content = std::make_shared<ContentDirectory>();
  content->directory = io::UniqueFd(fcntl(content_->directory.get(), F_DUPFD_CLOEXEC, 3));
  if (!content->directory) io::throw_errno(errno, fmt::format("opening '{}' again", directory_));
  content->description = content_->description;
  Context context;
  context.directory_ = directory_;
  context.ignore_ = ignore_;
  context.content_ = std::move(content);
  context.file_system_ = file_system_;
  context.memory_ = memory_;
  return context;
}

io::Task<Tree> Context::scan(io::Runtime& runtime, std::string path) {
  for (int links = 0; links < most_links; ++links) {
    co_await scan_below(runtime, path);
    std::string resolved = resolve_in_tree(tree_, path);
    if (resolved == path) break;
    path = std::move(resolved);
  }
  co_return tree_;
}

std::string Context::why_missing(const std::string& path) const {
  const int directory = content_->directory.get();
  struct stat status{};
  if (fstatat(directory, path.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0) return "";
  if (ignored(path)) return " (it is there, and the ignore file leaves it out)";
  if (S_ISSOCK(status.st_mode)) return " (it is a socket, which no layer can hold)";
  std::string target(4096, '\0');
  const ssize_t length = readlinkat(directory, path.c_str(), target.data(), target.size());
  if (length < 0) return "";
  target.resize(static_cast<std::size_t>(length));
  return fmt::format(" (it is a link to {}, which the context does not have)", target);
}

io::Task<void> Context::scan_below(io::Runtime& runtime, std::string path) {
  // Scanned already, itself or with a directory above it?
  for (std::string above = path;; above.resize(above.rfind('/') == std::string::npos ? 0 : above.rfind('/'))) {
    if (scanned_.contains(above)) co_return;
    if (above.empty()) break;
  }
  auto work = [this, path] {
    const std::shared_ptr<const KnownFiles> known = memory_ ? memory_->files() : nullptr;
    // The directory may have been moved since it was opened.
    const int directory = content_->directory.get();
    const ContextRoot root{directory, &ignore_, file_system_, known.get()};
    return scan_context(root, path, std::min(io::usable_cores(), most_threads) - 1);
  };
  ScannedTree found = co_await io::offload(runtime.waiting(), work);
  for (auto& directory : found.directories) add(directory);
  for (auto& [left_out, node] : found.left_out) {
    if (tree_.find(left_out)) tree_.put(left_out, std::move(node));
  }
  scanned_.insert(std::move(path));
}

void Context::add(ScannedDirectory& directory) {
  for (const auto& link : directory.links) {
    const auto [known, added] = links_.try_emplace(link.identity, 0);
    if (added) known->second = tree_.new_link_id();
    std::ranges::lower_bound(directory.children, link.name, {}, &NamedNode::name)->node.link_id = known->second;
  }
  std::string path = directory.path.empty() ? "" : directory.path + "/";
  const std::size_t above = path.size();
  for (auto& child : directory.children) {
    path.replace(above, std::string::npos, child.name);
    if (child.node.type == FileType::regular) {
      child.node.content.directory = content_;
      child.node.content.path = path;
    }
    tree_.put(path, std::move(child.node));
  }
}

IgnoreMatcher load_ignore_file(const std::string& dockerfile_path, const std::string& context_directory) {
  std::string origin = dockerfile_path + ".dockerignore";
  auto text = io::read_file(origin);
  if (!text) {
    origin = context_directory + "/.dockerignore";
    text = io::read_file(origin);
  }
  if (!text) return {};
  return io::with_context(fmt::format("reading {}", origin), [&] { return IgnoreMatcher::parse(*text); });
}

}  // namespace kiln::engine
