// ADD from elsewhere: files from servers, trees from git repositories. Both end as scratch files.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "engine/context/git_program.hpp"
#include "engine/steps/git_reference.hpp"
#include "engine/tree/tree.hpp"
#include "io/http/client.hpp"
#include "io/loop/runtime.hpp"

namespace kiln::engine {

// The file's name: the last part of the URL's path, "__unnamed__" if it has none (BuildKit).
std::string download_name(const std::string& url);

// Gets `url` (redirects are followed): a regular file, mode 0600, with Last-Modified's time or the epoch. `checksum`
// ("sha256:<64 digits>") is checked as the bytes come in. `authorization`: the header's value; empty: none. `version` (may be null)
// is told what download_version would have said. Errors: io::Error(not_found or context) with the status of an answer that is not
// 200; integrity for another checksum; network; dockerfile for a checksum of another kind.
io::Task<Node> download_source(io::Runtime& runtime, io::http::Client& http, std::string url, std::optional<std::string> checksum,
                               std::string authorization, std::shared_ptr<const ContentDirectory> scratch,
                               std::string* version = nullptr);

// What a server says a file is without sending it (HEAD): its ETag, by which BuildKit knows a file again, and its Last-Modified,
// which is in the layer. Nothing when there is no ETag, or no answer.
io::Task<std::optional<std::string>> download_version(io::http::Client& http, std::string url, std::string authorization);

// The files of a commit, fetched by the git program as shallow as the server can, below `directory` (made, and kept as long as
// the Tree is used). Modes are 0644 and 0755, times `now` or the commit's. Without `keep_git_dir` there is no .git.
// `commit` (may be null) is told which it was. Errors: io::Error(context) with git's words; process when there is no git.
io::Task<Tree> fetch_git_source(io::Runtime& runtime, GitReference reference, bool keep_git_dir, GitLogin login, FileTime now,
                                std::string directory, GitCommit* commit = nullptr);

// The commit that a reference names, asked of the server (git ls-remote) without fetching anything; a full commit id is not asked
// for. `directory`: any. Errors: as fetch_git_source(); integrity for another commit than the checksum's.
io::Task<GitCommit> resolve_git_source(io::Runtime& runtime, GitReference reference, GitLogin login, std::string directory);

}  // namespace kiln::engine
