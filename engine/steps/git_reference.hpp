// Git repositories as sources of ADD and as named contexts: how they are written.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace kiln::engine {

// BuildKit's forms: https:// and http:// whose path ends in ".git", git://, ssh://, user@host:path; then a fragment
// "#ref:subdir", or a query with ref, tag, branch, subdir, checksum (or commit), keep-git-dir, submodules, mtime.
struct GitReference {
  std::string remote;    // for git
  std::string ref;       // branch, tag or commit; empty: the remote's HEAD
  std::string subdir;    // cleaned; empty: all
  std::string checksum;  // what the commit's name begins with; empty: any
  std::optional<bool> keep_git_dir;
  bool submodules = true;
  bool commit_time = false;  // files have the commit's time, not the build's
};

// Nothing for what is no git repository. Errors: io::Error(dockerfile) for one that is written wrongly.
std::optional<GitReference> parse_git_reference(std::string_view text);

// What the flags of ADD say besides. Errors: io::Error(dockerfile) where they say something else than the reference does.
void add_git_flags(GitReference& reference, const std::optional<std::string>& checksum, bool keep_git_dir);

// What a reference names on its server.
struct GitCommit {
  std::string commit;
  std::string tag;  // the object of an annotated tag that points to it; empty: none
  // The checksum names the commit, or the tag.
  bool matches(std::string_view checksum) const;
};
// From the lines of `git ls-remote`; of several names that end in `ref` the one that `git fetch` takes. Nothing when there is none.
std::optional<GitCommit> find_git_commit(std::string_view listing, const std::string& ref);

// http:// or https://, and no git repository.
bool is_download(std::string_view text);

}  // namespace kiln::engine
