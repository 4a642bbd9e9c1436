#include "engine/steps/copy.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "engine/context/glob.hpp"
#include "engine/plan/path.hpp"
#include "engine/steps/archive.hpp"
#include "io/base/error.hpp"

namespace kiln::engine {

namespace {

std::string join(const std::string& directory, std::string_view name) {
  if (directory.empty()) return std::string(name);
  return directory + "/" + std::string(name);
}

[[noreturn]] void not_a_directory(std::string_view path) {
  throw io::Error(io::ErrorKind::context, fmt::format("cannot copy to non-directory: /{}", path));
}

}  // namespace

// The walk over one directory's contents. Directories that a pattern leaves out are made when something below is not.
class CopyOperation::DirectoryCopy {
 public:
  DirectoryCopy(CopyOperation& operation, std::string from, std::string to, const IgnoreMatcher& excludes,
                const IgnoreMatcher* includes)
      : operation_(operation), from_(std::move(from)), to_(std::move(to)), excluded_(excludes) {
    if (includes) included_.emplace(*includes);
  }

  void run(const Tree& source) {
    const std::size_t skipped = from_.empty() ? 0 : from_.size() + 1;
    source.walk(from_, [&](const std::string& path, const Node& node) {
      return path == from_ || visit(source, path, path.substr(skipped), node);
    });
  }

 private:
  bool visit(const Tree& source, const std::string& path, const std::string& below, const Node& node) {
    const bool directory = node.is_directory();
    const bool wanted = !included_ || included_->visit(below, directory);
    const bool left_out = excluded_.visit(below, directory);
    while (!pending_.empty() && !below.starts_with(pending_.back() + "/")) pending_.pop_back();
    if (!wanted || left_out) {
      if (!directory || (left_out && !excluded_.may_return_below(below))) return false;
      pending_.push_back(below);
      return true;
    }
    for (const auto& parent : pending_) make_parent(source, parent);
    pending_.clear();
    if (directory) {
      operation_.put_directory(join(to_, below), operation_.taken(path, node));
    } else {
      operation_.put_non_directory(join(to_, below), operation_.taken(path, node));
    }
    return true;
  }

  // One that exists takes only the mode.
  void make_parent(const Tree& source, const std::string& below) {
    const std::string target = join(to_, below);
    const Node node = *source.find(join(from_, below));
    const auto there = operation_.tree_.find(target);
    if (!there) {
      operation_.put_directory(target, operation_.taken(join(from_, below), node));
      return;
    }
    if (!there->is_directory()) not_a_directory(target);
    if (there->mode == node.mode) return;
    operation_.tree_.update(target, [&](Node& existing) { existing.mode = node.mode; });
    operation_.changed_.insert(target);
  }

  CopyOperation& operation_;
  std::string from_;
  std::string to_;
  IgnoreWalk excluded_;
  std::optional<IgnoreWalk> included_;
  std::vector<std::string> pending_;  // directories above the current path that are not made yet
};

void CopyOperation::copy(const Tree& source, const std::string& written, const std::string& destination,
                         const IgnoreMatcher& excludes) {
  for (const auto& match : expand_source(source, written)) copy_match(source, match, destination, excludes);
}

void CopyOperation::copy_match(const Tree& source, const SourceMatch& match, const std::string& destination,
                               const IgnoreMatcher& excludes) {
  links_.clear();
  const Node node = *source.find(match.path);
  if (!node.is_directory()) {
    const Node file = taken(match.path, node);
    const std::string to = prepare(destination);
    const auto there = tree_.find(to);
    put_non_directory(there && there->is_directory() ? join(to, match.name) : to, file);
    return;
  }
  copy_directory(source, match.path, prepare(destination), excludes, nullptr);
}

void CopyOperation::copy_with_parents(const Tree& source, const std::string& written, const std::string& destination,
                                      const IgnoreMatcher& excludes) {
  const auto pivot = written.find("/./");
  const std::string parent = pivot == std::string::npos ? "" : written.substr(0, pivot);
  const std::string pattern = clean_path(pivot == std::string::npos ? written : written.substr(pivot + 3));
  if (!has_wildcard(parent) && !has_wildcard(pattern)) {
    const std::string required = clean_path(parent + "/" + pattern);
    if (!source.find(resolve_in_tree(source, required))) {
      throw io::Error(io::ErrorKind::context, fmt::format("\"/{}\": not found", required));
    }
  }
  const IgnoreMatcher includes = IgnoreMatcher::from_patterns({pattern});
  for (const auto& match : expand_source(source, parent)) {
    if (!source.find(match.path)->is_directory()) {
      copy_match(source, match, destination, excludes);
      continue;
    }
    links_.clear();
    copy_directory(source, match.path, prepare(destination), excludes, &includes);
  }
}

// Makes what is before the destination's last '/', and resolves it.
std::string CopyOperation::prepare(const std::string& destination) {
  make_directories(resolve_in_tree(tree_, destination.substr(0, destination.rfind('/') + 1)));
  std::string resolved = resolve_in_tree(tree_, destination);
  make_directories(std::string(parent_of(resolved)));  // of a link's target
  return resolved;
}

void CopyOperation::copy_directory(const Tree& source, const std::string& from, const std::string& to,
                                   const IgnoreMatcher& excludes, const IgnoreMatcher* includes) {
  const auto existing = tree_.find(to);
  if (existing && !existing->is_directory()) not_a_directory(to);
  if (!existing) make_directories(to);
  if (!to.empty()) {
    // The context's own directory is nobody's file: it has no time of its own.
    const FileTime own = from.empty() && rules_.from_context ? rules_.now : source.find(from)->mtime;
    const FileTime time = rules_.time.value_or(own);
    tree_.update(to, [&](Node& node) { node.mtime = time; });
    changed_.insert(to);
  }
  DirectoryCopy(*this, from, to, excludes, includes).run(source);
}

Node CopyOperation::taken(const std::string& path, Node node) const {
  if (rules_.take) rules_.take(path, node);
  return adjusted(std::move(node));
}

void CopyOperation::own(Node& node) const {
  if (!rules_.owner) return;
  node.uid = rules_.owner->uid;
  node.gid = rules_.owner->gid;
}

Node CopyOperation::adjusted(Node node) const {
  if (rules_.from_context) node.uid = node.gid = 0;
  own(node);
  if (rules_.mode && node.type != FileType::symlink) node.mode = rules_.mode->apply(node.mode, node.is_directory());
  if (rules_.time) node.mtime = *rules_.time;
  node.stamp = {};
  return node;
}

void CopyOperation::put_non_directory(const std::string& path, Node node) {
  const auto there = tree_.find(path);
  if (there && there->is_directory()) {
    throw io::Error(io::ErrorKind::context, fmt::format("cannot replace to directory /{} with file", path));
  }
  put(path, std::move(node));
}

void CopyOperation::put_directory(const std::string& path, Node node) {
  const auto there = tree_.find(path);
  if (there && !there->is_directory()) not_a_directory(path);
  if (there && there->xattrs) {  // the source's are added
    auto xattrs = std::make_shared<Xattrs>(*there->xattrs);
    if (node.xattrs) {
      for (const auto& [name, value] : *node.xattrs) xattrs->insert_or_assign(name, value);
    }
    node.xattrs = std::move(xattrs);
  }
  put(path, std::move(node));
}

void CopyOperation::put_file(const std::string& name, Node node, const std::string& destination) {
  const std::string to = prepare(destination);
  const auto there = tree_.find(to);
  put_non_directory(there && there->is_directory() ? join(to, name) : to, adjusted(std::move(node)));
}

std::string CopyOperation::make_destination(const std::string& destination) {
  const std::string resolved = resolve_in_tree(tree_, destination);
  make_directories(resolved);
  return resolved;
}

// As BuildKit unpacks: whatever is in the way goes, a directory over a directory is merged, parents that the archive does
// not have are 0755 and root's.
void CopyOperation::put_archived(const std::string& directory, const ArchiveEntry& entry) {
  if (entry.path.empty()) return;
  Node node = entry.node;
  const std::string target = resolve_in_tree(tree_, entry.path, node.is_directory() && entry.hard_link.empty(), directory);
  if (target == directory) return;
  if (!entry.hard_link.empty()) {
    const std::string path = resolve_in_tree(tree_, entry.hard_link, false, directory);
    const auto other = tree_.find(path);
    if (!other || other->is_directory()) {
      throw io::Error(io::ErrorKind::integrity,
                      fmt::format("hard link '{}' to '{}', which is not there", entry.path, entry.hard_link));
    }
    if (other->link_id == 0) {
      const std::uint64_t link = tree_.new_link_id();
      tree_.update(path, [&](Node& named) { named.link_id = link; });
      changed_.insert(path);
    }
    node = *tree_.find(path);
    node.stamp = {};
  } else {
    own(node);
  }
  for (auto slash = target.find('/', directory.empty() ? 0 : directory.size() + 1); slash != std::string::npos;
       slash = target.find('/', slash + 1)) {
    const std::string parent = target.substr(0, slash);
    const auto there = tree_.find(parent);
    if (there && !there->is_directory()) not_a_directory(parent);
    if (there) continue;
    Node made;
    made.mtime = rules_.now;
    tree_.put(parent, std::move(made));
    changed_.insert(parent);
  }
  tree_.put(target, std::move(node));
  changed_.insert(target);
}

void CopyOperation::make_directories(const std::string& path) {
  for (std::size_t slash = path.find('/');; slash = path.find('/', slash + 1)) {
    const std::string directory = path.substr(0, slash);
    const auto there = tree_.find(directory);
    if (there && !there->is_directory()) not_a_directory(directory);
    if (!there) {
      Node made;
      made.mtime = rules_.now;
      own(made);
      if (rules_.mode && rules_.mode->octal()) made.mode = rules_.mode->apply(made.mode, true) & 0777;
      put(directory, std::move(made));
    }
    if (slash == std::string::npos) return;
  }
}

// Names of one inode stay that within one source, under ids of their own.
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
    if (!path.empty() && tree_.find(path)) changes.push_back({Change::Kind::put, path});
  }
  std::ranges::sort(changes, path_less, &Change::path);
  return changes;
}

}  // namespace kiln::engine
