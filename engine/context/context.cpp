#include "engine/context/context.hpp"

#include <fcntl.h>

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
  content_ = std::move(content);
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

io::Task<void> Context::scan_below(io::Runtime& runtime, std::string path) {
  // Scanned already, itself or with a directory above it?
  for (std::string above = path;; above.resize(above.rfind('/') == std::string::npos ? 0 : above.rfind('/'))) {
    if (scanned_.contains(above)) co_return;
    if (above.empty()) break;
  }
  auto work = [this, path] {
    const ContextRoot root{content_->directory.get(), directory_, &ignore_};
    return scan_context(root, path, std::min(io::usable_cores(), most_threads) - 1);
  };
  std::vector<ScannedPath> found = co_await io::offload(runtime.waiting(), work);
  for (auto& file : found) {
    if (!file.left_out) add(file);
  }
  for (auto& file : found) {
    const auto there = file.left_out ? tree_.find(file.path) : std::nullopt;
    if (there) add(file);
  }
  scanned_.insert(std::move(path));
}

void Context::add(ScannedPath& file) {
  if (file.node.type == FileType::regular) {
    file.node.content.directory = content_;
    file.node.content.path = file.path;
  }
  if (file.linked) {
    const auto [link, added] = links_.try_emplace(file.identity, 0);
    if (added) link->second = tree_.new_link_id();
    file.node.link_id = link->second;
  }
  tree_.put(file.path, std::move(file.node));
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
