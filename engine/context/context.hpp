// A build context: a directory on disk, seen as a Tree.
//
// Only what a reachable COPY or ADD names is looked at: scan() reads a path and what is below, on threads, leaves out
// what the ignore file leaves out, and remembers what it has read. Owners are root's, as BuildKit's client sends them;
// modes, times, xattrs and hard links are the files'. Regular files have the stamps of their files (tree.hpp), but for the owner,
// where those can be relied on (known_files.hpp). No symlink is followed on disk: one on the way is a node of the Tree
// like any other, and locate() goes on with what it points to inside the context.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <utility>

#include "engine/context/file_memory.hpp"
#include "engine/context/ignore.hpp"
#include "engine/context/scanner.hpp"
#include "engine/tree/tree.hpp"
#include "io/loop/runtime.hpp"

namespace kiln::engine {

class Context {
 public:
  // Opens the directory. Errors: io::Error(context) naming it.
  Context(std::string directory, IgnoreMatcher ignore, std::string description = "build context");

  // What is known of its files makes a scan faster. Borrowed.
  void remember_in(FileMemory* memory) { memory_ = memory; }

  // The same directory and rules, with nothing scanned yet.
  Context again() const;

  // The part of the context below `path` (cleaned, relative; "" is all of it) with symlinks in it resolved, and whatever was
  // scanned before. A path that does not exist, or that is ignored, is simply not in the Tree.
  io::Task<Tree> scan(io::Runtime& runtime, std::string path);

  const std::string& directory() const noexcept { return directory_; }
  // Does the ignore file leave this path out?
  bool ignored(std::string_view path) const { return ignore_.ignored(path); }
  // What to say of a path (cleaned, relative) that the context has not, though something of that name is on disk: " (why)", or
  // nothing.
  std::string why_missing(const std::string& path) const;

 private:
  Context() = default;
  io::Task<void> scan_below(io::Runtime& runtime, std::string path);
  void add(ScannedDirectory& directory);

  struct IdentityHash {
    std::size_t operator()(const std::pair<std::uint64_t, std::uint64_t>& identity) const {
      return static_cast<std::size_t>((identity.second ^ (identity.first << 32U)) * 0x9e3779b97f4a7c15ULL);
    }
  };

  std::string directory_;
  IgnoreMatcher ignore_;
  std::shared_ptr<const ContentDirectory> content_;
  Tree tree_;
  std::set<std::string> scanned_;
  std::optional<std::uint32_t> file_system_;
  FileMemory* memory_ = nullptr;
  std::unordered_map<std::pair<std::uint64_t, std::uint64_t>, std::uint64_t, IdentityHash> links_;  // device, inode -> link id
};

// <Dockerfile>.dockerignore beside the Dockerfile wins outright over <context>/.dockerignore; neither: ignores nothing.
IgnoreMatcher load_ignore_file(const std::string& dockerfile_path, const std::string& context_directory);

}  // namespace kiln::engine
