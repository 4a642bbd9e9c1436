#include "engine/steps/copy.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "engine/context/glob.hpp"
#include "engine/plan/path.hpp"
#include "io/base/error.hpp"

namespace kiln::engine {

namespace {

bool has_wildcard(const std::string& path) { return path.find_first_of("*?[") != std::string::npos; }

// What a wildcard can be rooted at: the directories before its first wildcard component.
std::string literal_prefix(const std::string& pattern) {
  return std::string(parent_of(pattern.substr(0, pattern.find_first_of("*?["))));
}

std::vector<std::string> expand_sources(const Tree& source, const std::string& written, bool double_star) {
  const std::string pattern = clean_path(written);
  if (!has_wildcard(pattern)) {
    // A symlink given as the source is followed.
    const std::string path = resolve_in_tree(source, pattern);
    if (!source.find(path)) throw io::Error(io::ErrorKind::context, fmt::format("\"/{}\": not found", pattern));
    return {path};
  }
  std::vector<std::string> matches;
  const Glob glob(pattern, double_star);
  source.walk(literal_prefix(pattern), [&](const std::string& path, const Node&) {
    if (!path.empty() && glob.matches(path)) {
      matches.push_back(resolve_in_tree(source, path));
      return double_star;
    }
    return true;
  });
  return matches;
}

}  // namespace

std::set<std::string> scan_roots(const std::vector<std::string>& sources) {
  std::set<std::string> roots;
  for (const auto& written : sources) {
    const std::string pattern = clean_path(written);
    roots.insert(has_wildcard(pattern) ? literal_prefix(pattern) : pattern);
  }
  return roots;
}

void CopyOperation::copy(const Tree& source, const std::vector<std::string>& sources, const std::string& destination,
                         const IgnoreMatcher& excludes, bool several) {
  for (const auto& written : sources) {
    const auto paths = expand_sources(source, written, rules_.parents);
    for (const auto& path : paths) {
      if (rules_.parents) {
        copy_with_parents(source, written, path, destination, excludes);
      } else {
        copy_one(source, path, destination, excludes, several || paths.size() > 1);
      }
    }
  }
}

void CopyOperation::copy_one(const Tree& source, const std::string& from, const std::string& destination,
                             const IgnoreMatcher& excludes, bool several) {
  const Node* node = source.find(from);
  if (!node) return;
  if (node->is_directory()) {
    copy_directory(source, from, resolve_in_tree(tree_, destination), excludes);
    return;
  }
  copy_file(taken(from, *node), target_for_file(std::string(name_of_path(from)), destination, several));
}

// "a/b/./c/d" keeps "c/d" below the destination; without the pivot all of it is kept.
void CopyOperation::copy_with_parents(const Tree& source, const std::string& written, const std::string& from,
                                      const std::string& destination, const IgnoreMatcher& excludes) {
  const auto pivot = written.find("/./");
  const std::string dropped = pivot == std::string::npos ? "" : clean_path(written.substr(0, pivot));
  std::string kept = from;
  if (!dropped.empty() && (from == dropped || from.starts_with(dropped + "/")))
    kept = from.substr(std::min(dropped.size() + 1, from.size()));
  const std::string base = resolve_in_tree(tree_, destination);
  const auto below_base = [&](const std::string& path) { return base.empty() ? path : path.empty() ? base : base + "/" + path; };
  const std::string skipped = from.substr(0, from.size() - kept.size());
  make_parents(below_base("x"));
  for (auto slash = kept.find('/'); slash != std::string::npos; slash = kept.find('/', slash + 1)) {
    const std::string parent = kept.substr(0, slash);
    if (const Node* node = source.find(skipped + parent)) put(below_base(parent), taken(skipped + parent, *node));
  }
  const Node* node = source.find(from);
  if (node->is_directory()) {
    copy_directory(source, from, below_base(kept), excludes);
  } else {
    copy_file(taken(from, *node), resolve_in_tree(tree_, below_base(kept), false));
  }
}

Node CopyOperation::taken(const std::string& path, Node node) const {
  if (rules_.take) rules_.take(path, node);
  return adjusted(std::move(node));
}

Node CopyOperation::adjusted(Node node) const {
  if (rules_.from_context) node.uid = node.gid = 0;
  if (rules_.owner) {
    node.uid = rules_.owner->uid;
    node.gid = rules_.owner->gid;
  }
  if (rules_.mode && node.type != FileType::symlink) node.mode = rules_.mode->apply(node.mode, node.is_directory());
  node.stamp = {};
  return node;
}

// The contents of `from` into `to`. A directory that is already there keeps its mode and owner and takes the time; one
// that is made takes the source's mode, and root's ids unless --chown says otherwise.
void CopyOperation::copy_directory(const Tree& source, const std::string& from, const std::string& to,
                                   const IgnoreMatcher& excludes) {
  const Node* existing = tree_.find(to);
  Node top = *source.find(from);
  if (from.empty() && rules_.from_context) {  // the context's own directory is nobody's file
    top.mode = 0755;
    top.mtime = rules_.now;
  }
  if (existing && !existing->is_directory()) {
    throw io::Error(io::ErrorKind::context, fmt::format("cannot copy to non-directory: /{}", to));
  }
  if (existing) {
    if (!to.empty()) {
      tree_.update(to, [&](Node& node) { node.mtime = top.mtime; });
      changed_.insert(to);
    }
  } else {
    make_parents(to);
    Node made = taken(from, top);
    if (!rules_.owner) made.uid = made.gid = 0;
    put(to, std::move(made));
  }
  const std::size_t skipped = from.empty() ? 0 : from.size() + 1;
  source.walk(from, [&](const std::string& path, const Node& node) {
    if (path == from) return true;
    const std::string below = path.substr(skipped);
    if (!excludes.empty() && excludes.ignored(below)) return node.is_directory() && excludes.may_reinclude_below(below);
    const std::string target = to.empty() ? below : to + "/" + below;
    const Node* there = tree_.find(target);
    if (there && there->type != FileType::symlink && there->is_directory() != node.is_directory()) {
      throw io::Error(io::ErrorKind::context, node.is_directory()
                                                  ? fmt::format("cannot copy to non-directory: /{}", target)
                                                  : fmt::format("cannot replace to directory /{} with file", target));
    }
    put(target, taken(path, node));
    return true;
  });
}

std::string CopyOperation::target_for_file(const std::string& name, const std::string& destination, bool several) {
  const std::string resolved = resolve_in_tree(tree_, destination);
  const Node* there = tree_.find(resolved);
  if (destination.ends_with('/') || several || (there && there->is_directory())) {
    if (there && !there->is_directory()) {
      throw io::Error(io::ErrorKind::context, fmt::format("cannot copy to non-directory: /{}", resolved));
    }
    return resolved.empty() ? name : resolved + "/" + name;
  }
  // A link at the destination is replaced and not written through.
  return resolve_in_tree(tree_, destination, false);
}

void CopyOperation::copy_file(Node node, const std::string& to) {
  const Node* there = tree_.find(to);
  if (there && there->is_directory()) {
    throw io::Error(io::ErrorKind::context, fmt::format("cannot replace to directory /{} with file", to));
  }
  make_parents(to);
  put(to, std::move(node));
}

void CopyOperation::put_file(const std::string& name, Node node, const std::string& destination, bool several) {
  copy_file(adjusted(std::move(node)), target_for_file(name, destination, several));
}

std::string CopyOperation::make_destination(const std::string& destination) {
  const std::string resolved = resolve_in_tree(tree_, destination);
  make_parents(resolved.empty() ? "x" : resolved + "/x");
  return resolved;
}

void CopyOperation::put_archived(const std::string& directory, const std::string& path, Node node) {
  const std::string target = resolve_in_tree(tree_, directory.empty() ? path : directory + "/" + path, false);
  if (target.empty()) return;
  make_parents(target);
  if (rules_.owner) {
    node.uid = rules_.owner->uid;
    node.gid = rules_.owner->gid;
  }
  if (rules_.mode && node.type != FileType::symlink) node.mode = rules_.mode->apply(node.mode, node.is_directory());
  put(target, std::move(node));
}

// Missing parents are 0755 and root's; --chown and an octal --chmod hold for them too.
void CopyOperation::make_parents(const std::string& path) {
  for (auto slash = path.find('/'); slash != std::string::npos; slash = path.find('/', slash + 1)) {
    const std::string parent = path.substr(0, slash);
    const Node* there = tree_.find(parent);
    if (there && there->is_directory()) continue;
    if (there) throw io::Error(io::ErrorKind::context, fmt::format("cannot copy below /{}: it is not a directory", parent));
    Node made;
    made.mtime = rules_.now;
    if (rules_.owner) {
      made.uid = rules_.owner->uid;
      made.gid = rules_.owner->gid;
    }
    if (rules_.mode && rules_.mode->octal()) made.mode = rules_.mode->apply(made.mode, true);
    put(parent, std::move(made));
  }
}

// Hard links within one copy stay hard links, under ids of their own.
void CopyOperation::put(const std::string& path, Node node) {
  if (node.link_id != 0) {
    const auto [link, added] = links_.try_emplace(node.link_id, 0);
    if (added) link->second = tree_.new_link_id();
    node.link_id = link->second;
  }
  tree_.put(path, std::move(node));
  changed_.insert(path);
}

Changes CopyOperation::take_changes() {
  Changes changes;
  for (const auto& path : changed_) {
    if (!path.empty()) changes.push_back({Change::Kind::put, path});
  }
  std::sort(changes.begin(), changes.end(), [](const Change& a, const Change& b) { return path_less(a.path, b.path); });
  return changes;
}

}  // namespace kiln::engine
