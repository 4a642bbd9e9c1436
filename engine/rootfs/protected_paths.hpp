// Paths that a build must leave alone: mount points, kiln's own directory, --ignore-path.
#pragma once

#include <functional>
#include <set>
#include <string>
#include <string_view>
#include <utility>

namespace kiln::engine {

// Paths (relative, cleaned) that must not be touched, and whether something below a path is one.
class ProtectedPaths {
 public:
  ProtectedPaths() = default;
  explicit ProtectedPaths(const std::set<std::string>& absolute);
  bool covers(std::string_view path) const;  // protected or below one
  bool below(std::string_view path) const;   // something below it is protected
  void add(std::string path) { paths_.insert(std::move(path)); }
  const std::set<std::string, std::less<>>& paths() const { return paths_; }
  bool empty() const { return paths_.empty(); }

 private:
  std::set<std::string, std::less<>> paths_;
};

// Removes `name` below `parent` with everything in it, but for what `keep` covers; true when it is gone. `path` is its path
// in the root. Errors: io::Error(filesystem) naming the path.
bool remove_recursively(int parent, const std::string& name, const std::string& path, const ProtectedPaths& keep);

}  // namespace kiln::engine
