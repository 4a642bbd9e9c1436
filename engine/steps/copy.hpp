// COPY and ADD as a pure function from one Tree to another: which sources, which destinations, which owners and modes.
//
// The rules are BuildKit's, from what its frontend asks for and what fsutil's copy does:
//   - a destination is resolved below the root with every symlink followed, the last one too; what is before its last '/'
//     is made; a file goes into a destination that is a directory, under the last name of its source as written
//   - directories give their contents: the top one keeps mode and owner if it was there, is 0755 and root's if not, and
//     takes the source's time; directories below that exist on both sides take the source's metadata
//   - a file over a directory, and a directory over anything else (a symlink to a directory too), are errors
//   - every source is copied by itself: with several sources and a destination that is no directory the last one wins
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

struct ArchiveEntry;

struct CopyRules {
  bool from_context = true;        // then owners become root's
  std::optional<Owner> owner;      // --chown: directories that are made have it too
  std::optional<ModeChange> mode;  // --chmod: directories that are made have it too if it is octal
  FileTime now;                    // of directories that are made
  std::optional<FileTime> time;    // SOURCE_DATE_EPOCH: of all that is copied, whatever its own is; not of what an archive holds
  // Called with a source's path and a copy of its node: where its bytes are read from. May be empty.
  std::function<void(const std::string& path, Node& node)> take;
};

// What a source, as written, stands for.
struct SourceMatch {
  std::string path;  // in the source's Tree, symlinks followed
  std::string name;  // of the file at a destination that is a directory: a link's own name, not its target's
};

// Without wildcards: the one path, which must be there. With: what they match (Go's path.Match on the components from the
// first that has one; a directory's contents are not matched again), in order; nothing is no error.
// Errors: io::Error(context) `"/path": not found`, as BuildKit words it.
std::vector<SourceMatch> expand_source(const Tree& source, const std::string& written);

// The paths of a source's wildcards, with the links among them not followed; nothing for a source without wildcards.
std::vector<std::string> match_wildcards(const Tree& source, const std::string& written);

// Copies into a destination Tree and collects what that changes.
class CopyOperation {
 public:
  CopyOperation(Tree& destination, CopyRules rules) : tree_(destination), rules_(std::move(rules)) {}

  // Copies what `written` matches in `source` to `destination` (absolute; a trailing '/' means a directory). `excludes`
  // leaves out what is inside of directories, by its path below the source.
  void copy(const Tree& source, const std::string& written, const std::string& destination, const IgnoreMatcher& excludes);
  void copy_match(const Tree& source, const SourceMatch& match, const std::string& destination, const IgnoreMatcher& excludes);
  // --parents: the source's directories are kept, from the pivot "/./" on if there is one. Wildcards may have "**".
  void copy_with_parents(const Tree& source, const std::string& written, const std::string& destination,
                         const IgnoreMatcher& excludes);

  // One file (a heredoc, a download).
  void put_file(const std::string& name, Node node, const std::string& destination);
  // The directory that an archive is unpacked into: made with its parents where it is missing. Gives its path.
  std::string make_destination(const std::string& destination);
  // One entry of an archive, in its order; symlinks are resolved with `directory` as the root. --chmod has no part in it.
  // Errors: io::Error(integrity) for a hard link to nothing.
  void put_archived(const std::string& directory, const ArchiveEntry& entry);

  Changes take_changes();

 private:
  class DirectoryCopy;

  std::string prepare(const std::string& destination);
  void copy_directory(const Tree& source, const std::string& from, const std::string& to, const IgnoreMatcher& excludes,
                      const IgnoreMatcher* includes);
  void put_non_directory(const std::string& path, Node node);
  void put_directory(const std::string& path, Node node);
  void put(const std::string& path, Node node);
  void make_directories(const std::string& path);
  Node taken(const std::string& path, Node node) const;
  Node adjusted(Node node) const;
  void own(Node& node) const;

  Tree& tree_;
  CopyRules rules_;
  std::set<std::string> changed_;
  std::map<std::uint64_t, std::uint64_t> links_;  // link ids of the source -> of the destination
};

// Paths of a source that must be known before it can be copied: where its wildcards are rooted, or what it names.
// Cleaned; "" is everything.
std::string scan_root(const std::string& written, bool parents);

// A layer of its own (--link): what `changes` put into `layer` is put over `tree`, as a layer would be. A directory over a
// link replaces it.
void put_layer_over(Tree& tree, const Tree& layer, const Changes& changes);

}  // namespace kiln::engine
