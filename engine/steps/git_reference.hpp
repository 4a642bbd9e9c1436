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

// http:// or https://, and no git repository.
bool is_download(std::string_view text);

}  // namespace kiln::engine
