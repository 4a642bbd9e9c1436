#include "bench/strategies/tree_source.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <random>
#include <set>
#include <vector>

#include <fmt/format.h>

#include "engine/context/context.hpp"
#include "engine/rootfs/content_copy.hpp"
#include "engine/sandbox/sandbox.hpp"
#include "io/base/error.hpp"

namespace kiln::bench {

namespace {

namespace fs = std::filesystem;
using engine::FileType;
using engine::Node;

constexpr std::size_t different_contents = 256;
constexpr std::size_t deepest = 10;
constexpr double log_of_median_size = 7.82;  // 2.5 KB
constexpr double size_spread = 1.5;
constexpr std::uint64_t largest_size = 4U << 20U;
constexpr std::int64_t oldest = 1'704'067'200;  // 2024-01-01
constexpr std::int64_t year = 31'536'000;

std::shared_ptr<engine::ContentDirectory> open_directory(const std::string& path) {
  auto directory = std::make_shared<engine::ContentDirectory>();
  directory->directory = io::UniqueFd(open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!directory->directory) io::throw_errno(errno, fmt::format("opening directory '{}'", path));
  directory->description = path;
  return directory;
}

class TreeMaker {
 public:
  explicit TreeMaker(const std::string& scratch) : directory_(open_directory(scratch)) { write_contents(); }

  engine::Tree make(std::size_t entries) {
    for (std::size_t number = 1; number < entries; ++number) {
      const std::uint64_t kind = random_() % 1600;
      if (number < 8 || kind < 160) {
        add_directory(number);
      } else if (kind < 260 && !files_.empty()) {
        add_symlink(number);
      } else if (kind < 276 && !files_.empty()) {
        add_hard_link(number);
      } else {
        add_file(number);
      }
    }
    return std::move(tree_);
  }

 private:
  struct Directory {
    std::string path;
    std::size_t depth = 0;
  };

  void write_contents() {
    std::lognormal_distribution<double> sizes(log_of_median_size, size_spread);
    for (std::size_t number = 0; number < different_contents; ++number) {
      const auto size = std::min(static_cast<std::uint64_t>(sizes(random_)), largest_size);
      std::vector<std::uint64_t> words(size / sizeof(std::uint64_t) + 1);
      for (auto& word : words) word = random_();
      const std::string name = fmt::format("content-{}", number);
      const io::UniqueFd file(openat(directory_->directory.get(), name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
      if (!file) io::throw_errno(errno, fmt::format("making '{}' in {}", name, directory_->description));
      engine::write_at(file.get(), 0, std::as_bytes(std::span(words)).first(size), name);
      sizes_.push_back(size);
    }
  }

  std::string new_path(std::string_view kind, std::size_t number) {
    const std::string& parent = directories_[random_() % directories_.size()].path;
    return fmt::format("{}{}{}-{:x}", parent, parent.empty() ? "" : "/", kind, number);
  }

  Node node_of(FileType type, std::uint32_t mode) {
    Node node;
    node.type = type;
    node.mode = mode;
    node.mtime = {oldest + static_cast<std::int64_t>(random_() % year), 0};
    return node;
  }

  void add_directory(std::size_t number) {
    const Directory parent = directories_[random_() % directories_.size()];
    if (parent.depth == deepest) return add_file(number);
    const std::string path = fmt::format("{}{}package-{:x}", parent.path, parent.path.empty() ? "" : "/", number);
    tree_.put(path, node_of(FileType::directory, 0755));
    directories_.push_back({path, parent.depth + 1});
  }

  void add_file(std::size_t number) {
    const std::size_t content = random_() % sizes_.size();
    Node node = node_of(FileType::regular, random_() % 8 == 0 ? 0755 : 0644);
    node.size = sizes_[content];
    node.content.directory = directory_;
    node.content.path = fmt::format("content-{}", content);
    std::string path = new_path("module", number) + ".js";
    tree_.put(path, std::move(node));
    files_.push_back(std::move(path));
  }

  void add_symlink(std::size_t number) {
    Node node = node_of(FileType::symlink, 0777);
    node.link_target = "/" + files_[random_() % files_.size()];
    tree_.put(new_path("link", number), std::move(node));
  }

  void add_hard_link(std::size_t number) {
    const std::string& target = files_[random_() % files_.size()];
    if (tree_.find(target)->link_id == 0) {
      tree_.update(target, [this](Node& node) { node.link_id = tree_.new_link_id(); });
    }
    tree_.put(new_path("hard", number), *tree_.find(target));
  }

  std::shared_ptr<engine::ContentDirectory> directory_;
  engine::Tree tree_;
  std::mt19937_64 random_{20'240'101};
  std::vector<std::uint64_t> sizes_;
  std::vector<Directory> directories_{{"", 0}};
  std::vector<std::string> files_;
};

// A path as a pattern that matches it and nothing else.
std::string pattern_of(std::string_view path) {
  std::string pattern;
  for (const char letter : path) {
    if (std::string_view("\\*?[!").find(letter) != std::string_view::npos) pattern += '\\';
    pattern += letter;
  }
  return pattern;
}

// Patterns of what is below `directory` and not of it: mounts, and `except`.
std::vector<std::string> patterns_of_foreign(const std::string& directory, const std::string& except) {
  std::set<std::string> foreign = engine::mount_points();
  foreign.insert(fs::canonical(except));
  std::error_code error;
  const std::string root = fs::canonical(directory, error);
  std::vector<std::string> patterns;
  if (error) return patterns;
  for (const auto& path : foreign) {
    const bool inside = root == "/" || path.starts_with(root + "/");
    if (inside) patterns.push_back(pattern_of(std::string_view(path).substr(root == "/" ? 1 : root.size() + 1)));
  }
  return patterns;
}

TreeSource with_puts(engine::Tree tree) {
  TreeSource source;
  std::set<std::uint64_t> linked;
  tree.walk("", [&](const std::string& path, const Node& node) {
    if (!path.empty()) source.puts.push_back({engine::Change::Kind::put, path});
    const bool counted = node.link_id == 0 || linked.insert(node.link_id).second;
    if (node.type == FileType::regular && counted) source.bytes += node.size;
    return true;
  });
  source.tree = std::move(tree);
  return source;
}

}  // namespace

TreeSource make_tree(std::size_t entries, const std::string& scratch) { return with_puts(TreeMaker(scratch).make(entries)); }

io::Task<TreeSource> index_directory(io::Runtime& runtime, std::string directory, std::string except) {
  engine::Context context(directory, engine::IgnoreMatcher::from_patterns(patterns_of_foreign(directory, except)), "tree");
  engine::Tree tree = co_await context.scan(runtime, "");
  co_return with_puts(std::move(tree));
}

}  // namespace kiln::bench
