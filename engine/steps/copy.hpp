// COPY and ADD as a pure function from one Tree to another: which sources, which destinations, which owners and modes.
// The rules are BuildKit's (its frontend and fsutil's copy).
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "engine/context/ignore.hpp"
#include "engine/steps/mode.hpp"
#include "engine/steps/users.hpp"
#include "engine/tree/tree.hpp"

namespace kiln::engine {

struct CopyRules {
  bool from_context = true;        // then owners become root's
  std::optional<Owner> owner;      // --chown
  std::optional<ModeChange> mode;  // --chmod
  bool parents = false;
  FileTime now;  // of directories that are made
  // Called with a source's path and a copy of its node: where its bytes are read from. May be empty.
  std::function<void(const std::string& path, Node& node)> take;
};

// Collects what a copy does to a destination Tree.
class CopyOperation {
 public:
  CopyOperation(Tree& destination, CopyRules rules) : tree_(destination), rules_(std::move(rules)) {}

  // Copies `sources` of `source` to `destination` (absolute; a trailing '/' means a directory). Wildcards may match
  // nothing; a plain path must be there. Errors: io::Error(context) naming the source as BuildKit words it.
  void copy(const Tree& source, const std::vector<std::string>& sources, const std::string& destination,
            const IgnoreMatcher& excludes, bool several);

  // One file (a heredoc, a download).
  void put_file(const std::string& name, Node node, const std::string& destination, bool several);
  // The directory that an archive is unpacked into: made with its parents where it is missing. Gives its path.
  std::string make_destination(const std::string& destination);
  // One entry of an unpacked archive, below a destination directory.
  void put_archived(const std::string& directory, const std::string& path, Node node);

  Changes take_changes();

 private:
  void copy_one(const Tree& source, const std::string& from, const std::string& destination, const IgnoreMatcher& excludes,
                bool several);
  void copy_directory(const Tree& source, const std::string& from, const std::string& to, const IgnoreMatcher& excludes);
  void copy_with_parents(const Tree& source, const std::string& written, const std::string& from, const std::string& destination,
                         const IgnoreMatcher& excludes);
  void copy_file(Node node, const std::string& to);
  void put(const std::string& path, Node node);
  void make_parents(const std::string& path);
  Node taken(const std::string& path, Node node) const;
  Node adjusted(Node node) const;
  std::string target_for_file(const std::string& name, const std::string& destination, bool several);

  Tree& tree_;
  CopyRules rules_;
  std::set<std::string> changed_;
  std::map<std::uint64_t, std::uint64_t> links_;  // link ids of the source -> of the destination
};

// The paths that sources without wildcards name, or the directories that their wildcards are rooted at: what has to be
// scanned before copy() can run.
std::set<std::string> scan_roots(const std::vector<std::string>& sources);

}  // namespace kiln::engine
