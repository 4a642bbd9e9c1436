// What the sources of COPY and ADD stand for.
#include <algorithm>

#include <fmt/format.h>

#include "engine/context/glob.hpp"
#include "engine/plan/path.hpp"
#include "engine/steps/copy.hpp"
#include "io/base/error.hpp"

namespace kiln::engine {

namespace {

struct WildcardPath {
  std::string prefix;   // the components before the first one with a wildcard
  std::string pattern;  // the rest; empty: there are none
};

WildcardPath split_wildcards(const std::string& path) {
  for (std::size_t at = 0; at < path.size();) {
    const std::size_t slash = std::min(path.find('/', at), path.size());
    if (has_wildcard(std::string_view(path).substr(at, slash - at))) {
      return {path.substr(0, at == 0 ? 0 : at - 1), path.substr(at)};
    }
    at = slash + 1;
  }
  return {path, ""};
}

}  // namespace

std::vector<SourceMatch> expand_source(const Tree& source, const std::string& written) {
  const std::string cleaned = clean_path(written);
  const auto [prefix, pattern] = split_wildcards(cleaned);
  if (pattern.empty()) {
    std::string path = resolve_in_tree(source, cleaned);
    if (!source.find(path)) throw io::Error(io::ErrorKind::context, fmt::format("\"/{}\": not found", cleaned));
    return {{std::move(path), std::string(name_of_path(cleaned))}};
  }
  std::vector<SourceMatch> matches;
  for (const auto& path : match_wildcards(source, written)) {
    std::string resolved = resolve_in_tree(source, path);
    if (!source.find(resolved)) throw io::Error(io::ErrorKind::context, fmt::format("\"/{}\": not found", path));
    matches.push_back({std::move(resolved), std::string(name_of_path(path))});
  }
  return matches;
}

std::vector<std::string> match_wildcards(const Tree& source, const std::string& written) {
  std::vector<std::string> paths;
  const auto [prefix, pattern] = split_wildcards(clean_path(written));
  if (pattern.empty()) return paths;
  const Glob glob(pattern, Glob::Syntax::path);
  const std::string root = resolve_in_tree(source, prefix);
  const std::size_t skipped = root.empty() ? 0 : root.size() + 1;
  source.walk(root, [&](const std::string& path, const Node&) {
    if (path == root || !glob.matches(std::string_view(path).substr(skipped))) return true;
    paths.push_back(path);
    return false;
  });
  return paths;
}

std::string scan_root(const std::string& written, bool parents) {
  std::string path = written;
  if (parents) {
    // The pivot only cuts; "**" and its friends are wildcards on either side of it.
    const auto pivot = written.find("/./");
    if (pivot != std::string::npos) path = written.substr(0, pivot) + "/" + clean_path(written.substr(pivot + 3));
  }
  return split_wildcards(clean_path(path)).prefix;
}

void put_layer_over(Tree& tree, const Tree& layer, const Changes& changes) {
  for (const auto& change : changes) tree.put(change.path, *layer.find(change.path));
}

}  // namespace kiln::engine
