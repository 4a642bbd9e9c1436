#include <algorithm>
#include <vector>

#include <fmt/format.h>

#include "engine/tree/tree.hpp"
#include "io/base/error.hpp"

namespace kiln::engine {

namespace {

constexpr int most_links = 40;  // what the kernel follows

// Components of a path, the first one last.
void push_components(std::string_view path, std::vector<std::string>& todo) {
  std::vector<std::string> parts;
  for (std::size_t at = 0; at < path.size();) {
    const std::size_t slash = std::min(path.find('/', at), path.size());
    if (slash > at) parts.emplace_back(path.substr(at, slash - at));
    at = slash + 1;
  }
  todo.insert(todo.end(), parts.rbegin(), parts.rend());
}

}  // namespace

std::string resolve_in_tree(const Tree& tree, std::string_view path, bool follow_last, std::string_view root) {
  std::vector<std::string> todo;
  push_components(path, todo);
  std::string resolved(root);
  int links = 0;
  while (!todo.empty()) {
    const std::string name = std::move(todo.back());
    todo.pop_back();
    if (name == ".") continue;
    if (name == "..") {
      if (resolved.size() == root.size()) continue;
      const auto slash = resolved.rfind('/');
      resolved.resize(slash == std::string::npos ? 0 : slash);
      continue;
    }
    const std::string next = resolved.empty() ? name : resolved + "/" + name;
    const Tree::View there = tree.view(next);
    if (!there || there.type() != FileType::symlink || (todo.empty() && !follow_last)) {
      resolved = next;
      continue;
    }
    if (++links > most_links) {
      throw io::Error(io::ErrorKind::context, fmt::format("'{}': too many levels of symbolic links", path));
    }
    if (there.link_target().starts_with('/')) resolved = root;
    push_components(there.link_target(), todo);
  }
  return resolved;
}

}  // namespace kiln::engine
