// A build context: a directory on disk, seen as a Tree.
//
// Only what a reachable COPY or ADD names is looked at: scan() reads a path and what is below, on threads, leaves out
// what the ignore file leaves out, and remembers what it has read. Owners are root's, as BuildKit's client sends them;
// modes, times, xattrs and hard links are the files'. No symlink is followed on disk: one on the way is a node of the Tree
// like any other, and locate() goes on with what it points to inside the context.
#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>

#include "engine/context/ignore.hpp"
#include "engine/context/scanner.hpp"
#include "engine/tree/tree.hpp"
#include "io/loop/runtime.hpp"

namespace kiln::engine {

class Context {
 public:
  // Opens the directory. Errors: io::Error(context) naming it.
  Context(std::string directory, IgnoreMatcher ignore, std::string description = "build context");

  // The part of the context below `path` (cleaned, relative; "" is all of it) with symlinks in it resolved, and whatever was
  // scanned before. A path that does not exist, or that is ignored, is simply not in the Tree.
  io::Task<Tree> scan(io::Runtime& runtime, std::string path);

  const std::string& directory() const noexcept { return directory_; }
  // Does the ignore file leave this path out?
  bool ignored(std::string_view path) const { return ignore_.ignored(path); }

 private:
  io::Task<void> scan_below(io::Runtime& runtime, std::string path);
  void add(ScannedPath& file);

  std::string directory_;
  IgnoreMatcher ignore_;
  std::shared_ptr<const ContentDirectory> content_;
  Tree tree_;
  std::set<std::string> scanned_;
  std::map<std::pair<std::uint64_t, std::uint64_t>, std::uint64_t> links_;  // device and inode -> link id
};

// <Dockerfile>.dockerignore beside the Dockerfile wins outright over <context>/.dockerignore; neither: ignores nothing.
IgnoreMatcher load_ignore_file(const std::string& dockerfile_path, const std::string& context_directory);

}  // namespace kiln::engine
